// Files with holes, in the forms of the GNU tar manual, "Storing Sparse Files": in a header of GNU's own, and in extended headers as
// versions 0.0, 0.1 and 1.0.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

struct TarSpan {
    uint64_t offset, size;
};

// The next block of the archive.
using NextBlock = std::function<void(uint8_t *block)>;

// Records of an extended header whose keys begin with "GNU.sparse.".
class SparseRecords {
public:
    void take(const std::string &key, const std::string &value);

    // The map, when these are about a sparse file; that of version 1.0 is at the beginning of the content.
    std::optional<std::vector<TarSpan>> spans(const NextBlock &content) const;

    std::optional<std::string> name;
    std::optional<uint64_t> size;

private:
    std::optional<uint64_t> major_, minor_, count_;
    std::vector<std::string> numbers_; // offsets and sizes by turns
};

// Of a header of type 'S' and the blocks of the map that follow it. Both parts of it that are not the map: the size.
std::vector<TarSpan> sparse_gnu_spans(const uint8_t *header, const NextBlock &following);
uint64_t sparse_gnu_size(const uint8_t *header);

// Throws unless the spans are in order, within the file, and `stored` bytes together.
void sparse_check(const std::vector<TarSpan> &spans, uint64_t size, uint64_t stored, const std::string &path);
