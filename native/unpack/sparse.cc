#include "sparse.h"

#include <algorithm>

#include "failure.h"
#include "tar_header.h"

namespace {

constexpr size_t most_spans = 1 << 18; // more than an extended header of the greatest size holds

[[noreturn]] void damaged() { bad_input("damaged map of a sparse file"); }

void add(std::vector<TarSpan> &spans, uint64_t offset, uint64_t size) {
    if (spans.size() == most_spans) bad_input("more than " + std::to_string(most_spans) + " pieces of a sparse file");
    if (size > 0) spans.push_back({offset, size});
}

// Version 1.0: decimal numbers, each ended by a newline, in whole blocks: how many pairs, then the pairs.
class TextMap {
public:
    explicit TextMap(const NextBlock &content) : content_(content) {}

    uint64_t number() {
        std::string digits;
        for (char c; (c = next()) != '\n';) {
            if (digits.size() > 20) damaged();
            digits += c;
        }
        return tar_decimal(digits, "map of a sparse file");
    }

private:
    char next() {
        if (at_ == tar_block) {
            content_(block_);
            at_ = 0;
        }
        return static_cast<char>(block_[at_++]);
    }

    const NextBlock &content_;
    uint8_t block_[tar_block];
    size_t at_ = tar_block;
};

std::vector<TarSpan> text_map(const NextBlock &content) {
    TextMap map(content);
    std::vector<TarSpan> spans;
    uint64_t count = map.number();
    if (count > most_spans) bad_input("more than " + std::to_string(most_spans) + " pieces of a sparse file");
    for (uint64_t i = 0; i < count; i++) {
        uint64_t offset = map.number();
        add(spans, offset, map.number());
    }
    return spans;
}

// A row of pairs in a block of GNU's; false when it is the last.
bool gnu_row(const uint8_t *block, size_t at, int pairs, std::vector<TarSpan> &spans) {
    constexpr size_t number = 12;
    for (int i = 0; i < pairs; i++, at += 2 * number) {
        if (block[at] == 0) return false;
        add(spans, tar_number(block, {at, number}, "offset"), tar_number(block, {at + number, number}, "size"));
    }
    return true;
}

} // namespace

void SparseRecords::take(const std::string &key, const std::string &value) {
    if (key == "name")
        name = value;
    else if (key == "major" || key == "minor")
        (key == "major" ? major_ : minor_) = tar_decimal(value, key);
    else if (key == "size" || key == "realsize")
        size = tar_decimal(value, key);
    else if (key == "numblocks")
        count_ = tar_decimal(value, key);
    else if (key == "offset" || key == "numbytes") {
        if (numbers_.size() % 2 != (key == "offset" ? 0 : 1)) damaged();
        numbers_.push_back(value);
    } else if (key == "map") {
        for (size_t at = 0; at < value.size();) {
            size_t comma = std::min(value.find(',', at), value.size());
            numbers_.push_back(value.substr(at, comma - at));
            at = comma + 1;
        }
    } else
        bad_input("sparse file of an unknown form: " + tar_quote(key));
}

std::optional<std::vector<TarSpan>> SparseRecords::spans(const NextBlock &content) const {
    if (!major_ && !minor_ && !count_ && numbers_.empty()) return std::nullopt;
    if (major_.value_or(0) == 1 && minor_.value_or(0) == 0) return text_map(content);
    if (major_.value_or(0) != 0 || minor_.value_or(0) > 1) bad_input("sparse file of an unknown version");
    if (count_.value_or(0) * 2 != numbers_.size()) damaged();
    std::vector<TarSpan> spans;
    for (size_t i = 0; i < numbers_.size(); i += 2)
        add(spans, tar_decimal(numbers_[i], "offset"), tar_decimal(numbers_[i + 1], "numbytes"));
    return spans;
}

std::vector<TarSpan> sparse_gnu_spans(const uint8_t *header, const NextBlock &following) {
    constexpr size_t in_header = 386, header_more = 482, block_more = 504;
    constexpr int header_pairs = 4, block_pairs = 21;
    std::vector<TarSpan> spans;
    bool wanted = gnu_row(header, in_header, header_pairs, spans), more = header[header_more] != 0;
    uint8_t block[tar_block];
    for (size_t blocks = 0; more; more = block[block_more] != 0) {
        if (++blocks > most_spans / block_pairs) damaged();
        following(block);
        wanted = wanted && gnu_row(block, 0, block_pairs, spans);
    }
    return spans;
}

uint64_t sparse_gnu_size(const uint8_t *header) { return tar_number(header, {483, 12}, "size of a sparse file"); }

void sparse_check(const std::vector<TarSpan> &spans, uint64_t size, uint64_t stored, const std::string &path) {
    uint64_t end = 0, sum = 0;
    for (const TarSpan &span : spans) {
        if (span.offset < end || span.offset > size || span.size > size - span.offset)
            bad_input("pieces of a sparse file overlap or leave it: " + tar_quote(path));
        end = span.offset + span.size;
        sum += span.size;
    }
    if (sum != stored) bad_input("a sparse file has other content than its map says: " + tar_quote(path));
}
