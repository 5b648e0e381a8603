// libFuzzer: any bytes as a compressed stream, in pieces of any size, by both gzip libraries.
#include "../decompress.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "../failure.h"

static void unpack(const uint8_t *data, size_t size, size_t piece, size_t &total) {
    size_t at = 0;
    auto stream = decompress([&](uint8_t *to, size_t most) {
        size_t count = std::min({most, piece, size - at});
        memcpy(to, data + at, count);
        at += count;
        return count;
    });
    uint8_t buffer[4096];
    for (size_t got; total < (16 << 20) && (got = stream->read(buffer, sizeof buffer)) > 0; total += got)
        if (got > sizeof buffer) abort();
}

extern "C" int LLVMFuzzerInitialize(int *, char ***) {
    decompress_prepare();
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 6) return 0;
    static constexpr uint8_t magic[][4] = {{0x1f, 0x8b, 8, 0}, {0x28, 0xb5, 0x2f, 0xfd}};
    uint8_t copy[8192];
    size_t count = std::min(size - 1, sizeof copy);
    memcpy(copy, data + 1, count);
    if (data[0] & 0x80) memcpy(copy, magic[data[0] >> 6 & 1], 4);
    size_t total = 0;
    try {
        unpack(copy, count, 1 + (data[0] & 0x3f), total);
    } catch (const Failure &) {
    }
    return 0;
}
