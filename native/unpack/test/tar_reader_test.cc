// What the reader shows of archives, and what it refuses; a case per known confusion, named after it.
#include "../tar_reader.h"

#include <cstring>
#include <vector>

#include "archive.h"
#include "tap.h"

namespace {

TarReader::Source source_of(const std::string &data) {
    return [&data, at = size_t{0}](uint8_t *to, size_t size) mutable {
        size_t count = data.copy(reinterpret_cast<char *>(to), size, at);
        at += count;
        return count;
    };
}

// "name size[content]" of every entry, and the refusal.
std::string list(const std::string &data, TarLimits limits = {}) {
    std::string text;
    try {
        TarReader reader(source_of(data), limits);
        TarEntry found;
        while (reader.next(found)) {
            std::string content(static_cast<size_t>(found.size), '.');
            for (const TarSpan &span : found.spans)
                reader.read(reinterpret_cast<uint8_t *>(content.data()) + span.offset, static_cast<size_t>(span.size));
            text += found.path + (found.link.empty() ? "" : " -> " + found.link) + " [" + content + "] ";
        }
        reader.drain();
    } catch (const Failure &failure) {
        text += "! " + failure.message;
    }
    return text;
}

void test_good() {
    std::string two = entry({.name = "a"}, "one") + entry({.name = "b"}, "two") + end_mark();
    same(list(two), "a [one] b [two] ", "two files");
    same(list(two.substr(0, 4 * tar_block)), "a [one] b [two] ", "an end without an end mark");
    same(list(""), "", "an empty archive");
    std::string zeros(tar_block, '\0');
    same(list(entry({.name = "a"}, "one") + zeros), "a [one] ", "half an end mark");
    same(list(entry({.name = "a"}, "one") + zeros + entry({.name = "b"}, "two")),
         "a [one] ! single block of zeros between entries", "entries behind a single block of zeros");
    std::string longer(150, 'x');
    same(list(entry({.type = 'L'}, longer + '\0') + entry({.name = "short"}, "c")), longer + " [c] ",
         "a GNU long name");
    same(list(pax(record("path", longer) + record("size", "1")) + header({.name = "s"}) + padded("c")),
         longer + " [c] ", "a PAX name and size");
    same(list(header({.name = "l", .type = '2', .link = "to"})), "l -> to [] ", "a symlink");
    same(list(entry({.name = "g", .type = 'g'}, record("comment", "abc")) + entry({.name = "a"}, "one")), "a [one] ",
         "a global header with a comment");
    same(list(header({.at = tar_field::prefix, .raw = "some/where"})), "some/where/file [] ", "a ustar prefix");
}

timespec time_of(const std::string &data) {
    TarReader reader(source_of(data), {});
    TarEntry found;
    reader.next(found);
    return found.mtime;
}

void test_times() {
    timespec time = time_of(pax(record("mtime", "-1.25")) + header({}));
    ok(time.tv_sec == -2 && time.tv_nsec == 750'000'000, "a time before 1970 with a fraction");
    ok(time_of(header({.at = tar_field::mtime, .raw = std::string(11, '\xff') + '\xfe'})).tv_sec == -2,
       "a negative base-256 time");
    refused(list(header({.at = tar_field::mtime, .raw = '\xff' + std::string(11, '\0')})), "out of range: mtime",
            "a time before the universe");
    refused(list(pax(record("mtime", "-9223372036854775808")) + header({})), "out of range: mtime",
            "a PAX time that overflows");
}

void test_numbers() {
    std::string negative = std::string(12, '\xff');
    refused(list(header({.at = tar_field::size, .raw = negative})), "negative number: size",
            "CVE-2026-59874: a negative base-256 size");
    refused(list(header({.at = tar_field::size, .raw = '\x80' + std::string(11, '\xff')})), "out of range: size",
            "a base-256 size past 64 bits");
    refused(list(header({.at = tar_field::size, .raw = "00000000zzz"})), "not an octal number: size",
            "a size of letters");
    refused(list(header({.at = tar_field::uid, .raw = std::string("\x80\0\0\x01\0\0\0\0", 8)})), "uid out of range",
            "an owner past 32 bits");
    refused(list(header({.at = tar_field::uid, .raw = std::string("\x80\0\0\0\xff\xff\xff\xff", 8)})),
            "uid out of range", "the owner 2^32-1, which means no change");
    refused(list(pax(record("size", "99999999999999999999999")) + header({})), "not a number",
            "a PAX size of 23 digits");
    refused(list(pax(record("uid", "-1")) + header({})), "not a number", "a negative PAX owner");
    refused(list(header({.type = '3', .at = tar_field::major, .raw = "7777777"})), "device number", "a device number");
}

// CVE-2025-62518 and its kin: the cursor must not depend on who reads.
void test_cursor() {
    std::string hidden = entry({.name = "hidden"}, "evil");
    std::string size = record("size", std::to_string(hidden.size()));
    same(list(pax(size) + entry({.type = 'L'}, std::string("name\0", 5)) + header({.name = "x"}) + hidden),
         "name [" + hidden + "] ", "CVE-2025-62518: a PAX size is for the file, not for the long name before it");
    refused(list(pax(size) + header({.name = "x", .size = 1}) + hidden), "two different sizes",
            "CVE-2025-62518: two different sizes");
    refused(list(pax(record("size", "1") + record("size", "2")) + header({})), "two sizes", "a size twice");
    refused(list(pax(record("path", "a") + record("path", "b")) + header({})), "two long names", "a name twice");
    refused(list(pax(size) + pax(size) + header({})), "two extended headers", "two extended headers");
    refused(list(entry({.type = 'g'}, size) + header({}) + hidden), "global extended header", "a size for all entries");
    refused(list(entry({.type = 'g'}, record("path", "x")) + header({})), "global extended header", "a name for all");
    same(list(header({.name = "d", .type = '5', .size = 512}) + hidden), "d [] hidden [evil] ",
         "what a directory claims is no content, like in Go's reader and GNU's");
    same(list(header({.name = "l", .type = '2', .size = 512, .link = "x"}) + hidden), "l -> x [] hidden [evil] ",
         "nor what a link claims");
    same(list(header({.name = "h", .type = '1', .size = 4, .link = "x"}) + hidden), "h -> x [] hidden [evil] ",
         "a hard link repeats its target's size and has no content");
    refused(list(pax(size)), "ends within an entry", "an extended header and no entry");
}

void test_records() {
    for (const char *bad : {"", "5", "5 ", "x a=b\n", "6 a=b", "999999999999999999999999 a=b\n", "7 a=b\n", "6 =ab\n",
                            "5 ab\n", "0 a=b\n", "1 a=b\n"})
        if (*bad) refused(list(pax(bad) + header({})), "damaged record", "a damaged record: " + tar_quote(bad));
    refused(list(header({.type = 'x', .size = 1ull << 31}) + std::string(4096, 'a')), "extended header of 2147483648",
            "CVE-2025-58183: an extended header of 2 GiB");
    refused(list(pax(record("GNU.sparse.major", "1") + record("GNU.sparse.numblocks", "2147483648")) + header({})),
            "cut short", "CVE-2025-58183: a sparse map of 2^31 entries that is not there");
    refused(list(pax(record("SCHILY.xattr.user.x", std::string(200 << 10, 'x'))) + header({})), "extended attributes",
            "200 KiB of extended attributes");
}

void test_names() {
    refused(list(pax(record("path", std::string("a\0b", 3))) + header({})), "NUL", "CVE-2026-59873: a NUL in a name");
    refused(list(pax(record("linkpath", std::string("a\0b", 3))) + header({.type = '2'})), "NUL", "a NUL in a target");
    refused(list(pax(record("path", std::string(5000, 'x'))) + header({})), "longer than 4095", "a name of 5000 bytes");
    std::string deep;
    for (int i = 0; i < 300; i++) deep += "d/";
    refused(list(pax(record("path", deep)) + header({})), "deeper than 255", "CVE-2024-28863: 300 directories deep");
    refused(list(header({.name = ""})), "without a name", "CVE-2026-59875: an empty name");
    same(list(pax(record("path", "") + record("size", "") + record("uid", "") + record("mtime", "")) + header({})),
         "file [] ", "an empty value means the header's field");
    refused(list(header({.type = '2'})), "without a target", "a link without a target");
}

void test_limits() {
    TarLimits limits{.max_bytes = 4096, .max_entries = 2};
    refused(list(entry({}, std::string(5000, 'x')), limits), "larger than 4096", "too many bytes");
    refused(list(header({}) + header({}) + header({}), limits), "more than 2 entries", "too many entries");
    refused(list(header({}) + end_mark() + std::string(9000, '\0'), limits), "larger than 4096",
            "CVE-2017-14992: padding behind the end");
    std::string good = pax(record("path", "abc")) + entry({.name = "x"}, "content") + header({.type = '5'});
    size_t content_end = good.find("content") + strlen("content");
    bool cut = true, flipped = true;
    for (size_t at = 1; at < good.size(); at++) {
        std::string text = list(good.substr(0, at));
        bool whole = at % tar_block == 0 || (at >= content_end && at < content_end + tar_block);
        cut = cut && (whole || text.find('!') != text.npos);
    }
    ok(cut, "an archive cut at any byte within a block is refused, unless that is padding");
    for (size_t bit = 0; bit < good.size() * 8; bit++) {
        std::string bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
        bool in_header = bit / 8 % good.size() < tar_block;
        flipped = flipped && (!in_header || list(bad).find('!') != std::string::npos || list(bad) == list(good));
    }
    ok(flipped, "a flipped bit in a header is refused, or one that means nothing (a leading zero)");
}

// GNU's header: sparse rows at 386, more to come at 482, the size at 483.
std::string gnu_sparse(const std::string &rows, bool more, uint64_t size, const std::string &content) {
    char octal[13];
    snprintf(octal, sizeof octal, "%011llo", static_cast<unsigned long long>(size));
    std::string raw = std::string("ustar  \0", 8) + std::string(386 - 265, '\0') + rows;
    raw.resize(482 - 257, '\0');
    raw += std::string(1, more) + octal;
    return header({.name = "s", .type = 'S', .size = content.size(), .at = {257, 255}, .raw = raw});
}

std::string row(uint64_t offset, uint64_t size) {
    char text[25];
    snprintf(text, sizeof text, "%011llo%c%011llo", static_cast<unsigned long long>(offset), '\0',
             static_cast<unsigned long long>(size));
    return std::string(text, 24);
}

void test_sparse() {
    const std::string content = "oneTWO", wanted = "name [.one..TWO...] ";
    auto records = [](const std::string &more) { return pax(record("GNU.sparse.name", "name") + more); };
    same(list(records(record("GNU.sparse.size", "12") + record("GNU.sparse.numblocks", "2") +
                      record("GNU.sparse.offset", "1") + record("GNU.sparse.numbytes", "3") +
                      record("GNU.sparse.offset", "6") + record("GNU.sparse.numbytes", "3")) +
              entry({}, content)),
         wanted, "sparse, version 0.0");
    same(list(records(record("GNU.sparse.major", "0") + record("GNU.sparse.minor", "1") +
                      record("GNU.sparse.size", "12") + record("GNU.sparse.numblocks", "2") +
                      record("GNU.sparse.map", "1,3,6,3")) +
              entry({}, content)),
         wanted, "sparse, version 0.1");
    const std::string version = record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0");
    same(list(records(version + record("GNU.sparse.realsize", "12")) +
              entry({}, padded("3\n1\n3\n6\n3\n12\n0\n") + content) + entry({.name = "next"}, "x")),
         wanted + "next [x] ", "sparse, version 1.0");
    same(list(gnu_sparse(row(1, 3) + row(6, 3) + row(12, 0), false, 12, content) + padded(content) +
              entry({.name = "next"}, "x")),
         "s [.one..TWO...] next [x] ", "sparse, old GNU");
    std::string block = row(6, 3);
    block.resize(tar_block, '\0');
    same(list(gnu_sparse(row(1, 1) + row(2, 1) + row(3, 1) + row(3, 0), true, 12, content) + block + padded(content)),
         "s [.one..TWO...] ", "with a further block of its map");
    for (const char *map : {"1,3,3,3", "6,3,1,3", "1,3,10,3", "1,3,6,4", "1,3", "1,3,6", "0,18446744073709551615,6,3"})
        ok(list(records(record("GNU.sparse.size", "12") + record("GNU.sparse.numblocks", "2") +
                        record("GNU.sparse.map", map)) +
                entry({}, content))
                   .find("! ") == 0,
           std::string("a map that overlaps, leaves the file, or is of other content: ") + map);
    refused(list(records(version) + header({.size = 0}), {}), "cut short", "a map that is missing");
    refused(list(records(record("GNU.sparse.size", "5000") + record("GNU.sparse.numblocks", "0") +
                         record("GNU.sparse.map", "")) +
                     header({}),
                 {.max_bytes = 4096}),
            "larger than 4096", "holes count as what they are read as");
    refused(list(records(record("GNU.sparse.major", "2")) + header({})), "unknown version", "a version of its own");
    refused(list(header({.type = 'S'})), "unknown type", "GNU's form in a header that is not GNU's");
}

void test_odd_writers() {
    std::string name = "n\xe9";
    int64_t sum = 0;
    std::string block = header({.name = name});
    for (size_t i = 0; i < tar_block; i++)
        sum += i >= tar_field::checksum.at && i < tar_field::checksum.at + tar_field::checksum.size
                   ? ' '
                   : static_cast<int8_t>(block[i]);
    char text[8];
    snprintf(text, sizeof text, "%06o", static_cast<unsigned>(sum));
    block.replace(tar_field::checksum.at, 7, text, 7);
    same(list(block), name + " [] ", "a checksum of signed bytes");
    std::string star = header({.at = {345, 167},
                               .raw = std::string("dir") + std::string(128, '\0') + "00000000001 00000000001 " +
                                      std::string(8, '\0') + "tar"});
    same(list(star), "dir/file [] ", "star's times are no part of its prefix");
    same(list(header({.at = tar_field::uid, .raw = std::string("\0\0  017", 7)})), "file [] ", "NULs before a number");
    std::string unpadded = entry({.name = "a"}, "one");
    same(list(unpadded.substr(0, tar_block + 3)), "a [one] ", "an end without padding");
}

} // namespace

int main() {
    test_sparse();
    test_odd_writers();
    test_good();
    test_times();
    test_numbers();
    test_cursor();
    test_records();
    test_names();
    test_limits();
    return done();
}
