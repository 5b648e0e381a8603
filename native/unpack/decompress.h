// Compressed stream in, tar stream out: gzip (also of several members), zstd or none, told apart by the first bytes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

// Fills `data` with up to `size` bytes; 0 at the end.
using Source = std::function<size_t(uint8_t *data, size_t size)>;

class Decompressor {
public:
    virtual ~Decompressor() = default;
    // Up to `size` bytes of output; 0 at the end of the stream, which must be the end of the source too.
    virtual size_t read(uint8_t *data, size_t size) = 0;
};

// Loads what is loaded at run time. To be called while the host's libraries can still be found.
void decompress_prepare();

std::unique_ptr<Decompressor> decompress(Source source);
