// Every codec with its stream whole, in pieces, cut anywhere and with flipped bits. What comes out is the content or a refusal.
#include "../decompress.h"

#include <cstring>
#include <vector>
#include <zlib.h>
#include <zstd.h>

#include "tap.h"

namespace {

std::string content() {
    std::string text;
    uint32_t state = 1;
    while (text.size() < 20'000) {
        state = state * 1664525 + 1013904223;
        text += state & 0x10000 ? "the same words again and again " : std::to_string(state);
    }
    return text;
}

// With every optional field of RFC 1952 when `fields`.
std::string gzip(const std::string &plain, bool fields = false) {
    std::string packed(plain.size() + 1000, '\0');
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    char name[] = "a name", comment[] = "a comment", extra[] = "AB\4\0data";
    gz_header head{};
    head.name = reinterpret_cast<Bytef *>(name);
    head.comment = reinterpret_cast<Bytef *>(comment);
    head.extra = reinterpret_cast<Bytef *>(extra);
    head.extra_len = 8;
    head.hcrc = 1;
    if (fields) deflateSetHeader(&stream, &head);
    std::string copy = plain;
    stream.next_in = reinterpret_cast<Bytef *>(copy.data());
    stream.avail_in = static_cast<uInt>(copy.size());
    stream.next_out = reinterpret_cast<Bytef *>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

std::string zstd(const std::string &plain, int window_log = 0) {
    std::string packed(ZSTD_compressBound(plain.size()), '\0');
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    if (window_log) {
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
        ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
    }
    ZSTD_outBuffer out{packed.data(), packed.size(), 0};
    ZSTD_inBuffer in{plain.data(), plain.size(), 0};
    // In two steps: what is compressed in one gets a window as small as itself.
    ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush);
    ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
    ZSTD_freeCCtx(context);
    packed.resize(out.pos);
    return packed;
}

std::string unpack_all(const std::string &packed, size_t piece = 1 << 20, size_t read_size = 4096) {
    size_t at = 0;
    auto stream = decompress([&](uint8_t *to, size_t size) {
        size_t count = packed.copy(reinterpret_cast<char *>(to), std::min(size, piece), at);
        at += count;
        return count;
    });
    std::string plain;
    std::vector<uint8_t> buffer(read_size);
    for (size_t got; (got = stream->read(buffer.data(), buffer.size())) > 0;)
        plain.append(reinterpret_cast<char *>(buffer.data()), got);
    return plain;
}

std::string unpack(const std::string &packed, size_t piece = 1 << 20, size_t read_size = 4096) {
    try {
        return unpack_all(packed, piece, read_size);
    } catch (const Failure &failure) {
        return "! " + failure.message;
    }
}

std::string refusal(const std::string &packed) {
    return failure_of([&] { unpack_all(packed); });
}

void test_codec(const std::string &name, const std::string &packed, const std::string &plain) {
    for (size_t piece : {1, 2, 3, 7, 1000, 1 << 20})
        for (size_t read_size : {1, 100, 1 << 20})
            if (piece > 3 || read_size > 1)
                ok(unpack(packed, piece, read_size) == plain,
                   name + " in pieces of " + std::to_string(piece) + ", read by " + std::to_string(read_size));
    size_t accepted = 0;
    for (size_t size = 4; size < packed.size(); size++) accepted += refusal(packed.substr(0, size)).empty();
    ok(accepted == 0, name + ": CVE-2021-20291: cut at any byte it is refused");
    size_t wrong = 0;
    for (size_t bit = 32; bit < packed.size() * 8; bit += bit < 800 ? 1 : 37) {
        std::string bad = packed;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
        std::string found;
        std::string message = failure_of([&] { found = unpack_all(bad); });
        wrong += message.empty() && found != plain; // some bits of a header mean nothing
    }
    ok(wrong == 0, name + ": with a flipped bit it is refused or the same");
    refused(refusal(packed + "garbage"), "", name + ": with garbage behind it is refused");
}

void test_gzip(const std::string &library) {
    std::string plain = content();
    test_codec("gzip by " + library, gzip(plain), plain);
    for (size_t piece : {1, 5, 1000})
        ok(unpack(gzip(plain, true), piece) == plain,
           library + ": all fields of a gzip header, by " + std::to_string(piece));
    std::string members =
        gzip(plain.substr(0, 100)) + gzip("") + gzip(plain.substr(100, 9000)) + gzip(plain.substr(9100));
    for (size_t piece : {1, 2, 3, 10, 13, 1000, 1 << 20})
        ok(unpack(members, piece) == plain, library + ": four members in pieces of " + std::to_string(piece));
    ok(unpack(gzip(plain) + std::string(2000, '\0'), 100) == plain, library + ": zeros behind the stream");
    refused(refusal(gzip("x") + std::string(10, '\0') + gzip("y")), "data after the end",
            library + ": a member behind zeros");
    refused(refusal(gzip(plain) + gzip("x").substr(0, 10)), "cut short", library + ": a second member cut");
    same(unpack(gzip("")), "", library + ": an empty stream");
    std::string bad = gzip(plain);
    bad[bad.size() - 1] ^= 1;
    refused(refusal(bad), "damaged", library + ": a wrong length");
}

void test_zstd() {
    std::string plain = content();
    test_codec("zstd", zstd(plain), plain);
    std::string skippable("\x53\x2a\x4d\x18\x04\0\0\0skip", 12);
    same(unpack(skippable + zstd("abc") + skippable + zstd("def") + skippable, 3), "abcdef",
         "zstd: frames that are skipped");
    ok(unpack(zstd(plain, 27)) == plain, "zstd: a window of 128 MiB");
    refused(refusal(zstd(plain, 30)), "zstd stream is damaged", "CVE-2025-58058: zstd: a window of 1 GiB");
}

} // namespace

int main() {
    // zlib is what there is until the fast library has been found.
    test_gzip("zlib");
    decompress_prepare();
    test_gzip("ISA-L");
    test_zstd();
    same(unpack("plain bytes", 2), "plain bytes", "no compression");
    same(unpack(""), "", "nothing");
    same(unpack("x"), "x", "one byte");
    return done();
}
