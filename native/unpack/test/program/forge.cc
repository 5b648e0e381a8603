#include "forge.h"

#include <cstdio>
#include <cstring>
#include <zlib.h>
#include <zstd.h>

namespace forge {

Entry file(std::string path, std::string content) { return {.path = std::move(path), .text = std::move(content)}; }

Entry directory(std::string path, uint32_t mode) { return {.type = '5', .path = std::move(path), .mode = mode}; }

Entry soft_link(std::string path, std::string target) {
    return {.type = '2', .path = std::move(path), .text = std::move(target), .mode = 0777};
}

Entry hard_link(std::string path, std::string target) {
    return {.type = '1', .path = std::move(path), .text = std::move(target)};
}

static std::string octal(uint64_t value, int digits) {
    char text[32];
    snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
    return text;
}

std::string with_field(std::string header, size_t at, const std::string &bytes) {
    header.replace(at, bytes.size(), bytes);
    header.replace(148, 8, 8, ' ');
    uint64_t sum = 0;
    for (unsigned char byte : header) sum += byte;
    return header.replace(148, 8, octal(sum, 6) + std::string("\0 ", 2));
}

std::string header(const Entry &entry, uint64_t size) {
    std::string block(512, '\0');
    auto put = [&](size_t at, size_t longest, const std::string &text) {
        block.replace(at, std::min(longest, text.size()), text.substr(0, longest));
    };
    put(0, 100, entry.path);
    put(100, 7, octal(entry.mode, 7));
    put(108, 7, octal(entry.uid, 7));
    put(116, 7, octal(entry.gid, 7));
    put(124, 11, octal(size, 11));
    put(136, 11, octal(static_cast<uint64_t>(entry.mtime), 11));
    block[156] = entry.type;
    if (entry.type == '1' || entry.type == '2') put(157, 100, entry.text);
    put(257, 8,
        std::string("ustar\0"
                    "00",
                    8));
    if (entry.type == '3' || entry.type == '4') {
        put(329, 7, octal(entry.major, 7));
        put(337, 7, octal(entry.minor, 7));
    }
    return with_field(std::move(block), 0, "");
}

std::string padded(std::string content) {
    content.resize((content.size() + 511) / 512 * 512);
    return content;
}

std::string extension(char type, const std::string &content) {
    return header({.type = type, .path = "extension"}, content.size()) + padded(content);
}

std::string pax(const Records &records, char type) {
    std::string block;
    for (const auto &[key, value] : records) {
        // The length counts its own digits.
        size_t rest = key.size() + value.size() + 3, length = rest + 1;
        while (rest + std::to_string(length).size() != length) length++;
        block += std::to_string(length) + " " + key + "=" + value + "\n";
    }
    return extension(type, block);
}

std::string entry(const Entry &entry) {
    bool has_content = entry.type == '0';
    std::string text = entry.pax.empty() ? "" : pax(entry.pax);
    text += header(entry, has_content ? entry.text.size() : 0);
    return has_content ? text + padded(entry.text) : text;
}

std::string ended(std::string entries) { return entries + std::string(1024, '\0'); }

std::string archive(const std::vector<Entry> &entries) {
    std::string text;
    for (const Entry &one : entries) text += entry(one);
    return ended(std::move(text));
}

std::string gzip(const std::string &data) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, data.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(data.data()));
    stream.avail_in = static_cast<uInt>(data.size());
    stream.next_out = reinterpret_cast<Bytef *>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string zstd(const std::string &data) {
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    std::string out(ZSTD_compressBound(data.size()), '\0');
    out.resize(ZSTD_compress2(context, out.data(), out.size(), data.data(), data.size()));
    ZSTD_freeCCtx(context);
    return out;
}

} // namespace forge
