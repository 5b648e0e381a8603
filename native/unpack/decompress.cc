#include "decompress.h"

#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <isa-l/igzip_lib.h>
#include <zlib.h>
#include <zstd.h>

#include "failure.h"
#include "room.h"

namespace {

constexpr size_t input_size = 256 << 10;
// zstd --long=27, the most that image tools produce; more would let an archive choose our memory (CVE-2025-58058 is this in xz).
constexpr int zstd_window_log_max = 27;

struct Isal {
    decltype(&isal_inflate_init) init = nullptr;
    decltype(&isal_inflate) inflate = nullptr;
};
Isal isal;

// The compressed bytes not yet used.
class Input {
public:
    explicit Input(Source source) : source_(std::move(source)), buffer_(input_size) {}

    // False at the end of the source.
    bool fill() {
        if (at_ < end_) return true;
        at_ = 0;
        end_ = source_(buffer_.data(), buffer_.size());
        return end_ > 0;
    }
    // At least `wanted` bytes in one piece, unless the source ends before.
    size_t gather(size_t wanted) {
        memmove(buffer_.data(), buffer_.data() + at_, end_ - at_);
        end_ -= at_;
        at_ = 0;
        while (end_ < wanted) {
            size_t got = source_(buffer_.data() + end_, buffer_.size() - end_);
            if (got == 0) break;
            end_ += got;
        }
        return end_;
    }
    uint8_t *data() { return buffer_.data() + at_; }
    size_t size() const { return end_ - at_; }
    void skip(size_t size) { at_ += size; }

    // Padding behind the compressed stream (tape blocks) is accepted, anything else is not.
    void expect_end() {
        while (fill()) {
            if (std::any_of(data(), data() + size(), [](uint8_t byte) { return byte != 0; }))
                bad_input("data after the end of the compressed stream");
            skip(size());
        }
    }

private:
    Source source_;
    Room buffer_;
    size_t at_ = 0, end_ = 0;
};

class Plain final : public Decompressor {
public:
    explicit Plain(Input input) : input_(std::move(input)) {}
    size_t read(uint8_t *data, size_t size) override {
        if (!input_.fill()) return 0;
        size_t count = std::min(size, input_.size());
        memcpy(data, input_.data(), count);
        input_.skip(count);
        return count;
    }

private:
    Input input_;
};

bool at_gzip_member(Input &input) { return input.gather(2) >= 2 && input.data()[0] == 0x1f && input.data()[1] == 0x8b; }

// RFC 1952, 2.3. Not by ISA-L, which loses its way when a header with optional fields comes in pieces.
void skip_gzip_header(Input &input) {
    constexpr size_t fixed = 10, longest = 128 << 10;
    constexpr uint8_t deflate = 8, fhcrc = 2, fextra = 4, fname = 8, fcomment = 16, reserved = 0xe0;
    size_t count = 0;
    auto next = [&] {
        if (!input.fill()) bad_input("gzip stream is cut short");
        uint8_t byte = *input.data();
        input.skip(1);
        if (++count > longest) bad_input("gzip stream is damaged: endless header");
        return byte;
    };
    uint8_t method = 0, flags = 0;
    while (count < fixed) {
        uint8_t byte = next();
        if (count == 3) method = byte;
        if (count == 4) flags = byte;
    }
    if (method != deflate || flags & reserved) bad_input("gzip stream is damaged: unknown method");
    if (flags & fextra) {
        size_t length = next();
        length += static_cast<size_t>(next()) << 8;
        while (length-- > 0) next();
    }
    for (uint8_t text : {fname, fcomment})
        if (flags & text)
            while (next() != 0) {
            }
    if (flags & fhcrc) {
        next();
        next();
    }
}

class GzipIsal final : public Decompressor {
public:
    explicit GzipIsal(Input input) : input_(std::move(input)) { begin_member(); }

    size_t read(uint8_t *data, size_t size) override {
        while (!ended_) {
            bool more = input_.fill();
            state_.next_in = input_.data();
            state_.avail_in = static_cast<uint32_t>(input_.size());
            state_.next_out = data;
            state_.avail_out = static_cast<uint32_t>(size);
            int result = isal.inflate(&state_);
            if (result < 0) bad_input("gzip stream is damaged");
            input_.skip(input_.size() - state_.avail_in);
            size_t count = size - state_.avail_out;
            if (state_.block_state == ISAL_BLOCK_FINISH)
                next_member();
            else if (!more && count == 0)
                bad_input("gzip stream is cut short");
            if (count > 0) return count;
        }
        return 0;
    }

private:
    void begin_member() {
        skip_gzip_header(input_);
        isal.init(&state_);
        state_.crc_flag = ISAL_GZIP_NO_HDR_VER; // the library verifies checksum and length
    }
    void next_member() {
        if (at_gzip_member(input_)) {
            begin_member();
            return;
        }
        input_.expect_end();
        ended_ = true;
    }

    Input input_;
    inflate_state state_{};
    bool ended_ = false;
};

class GzipZlib final : public Decompressor {
public:
    explicit GzipZlib(Input input) : input_(std::move(input)) {
        if (inflateInit2(&stream_, 15 + 16) != Z_OK) local_failure(ENOMEM, "zlib");
    }
    ~GzipZlib() override { inflateEnd(&stream_); }

    size_t read(uint8_t *data, size_t size) override {
        stream_.next_out = data;
        stream_.avail_out = static_cast<uInt>(size);
        while (!ended_ && stream_.avail_out == size) {
            if (!input_.fill()) bad_input("gzip stream is cut short");
            stream_.next_in = input_.data();
            stream_.avail_in = static_cast<uInt>(input_.size());
            int result = inflate(&stream_, Z_NO_FLUSH);
            input_.skip(input_.size() - stream_.avail_in);
            if (result != Z_OK && result != Z_STREAM_END) bad_input("gzip stream is damaged");
            if (result == Z_STREAM_END) next_member();
        }
        return size - stream_.avail_out;
    }

private:
    void next_member() {
        if (at_gzip_member(input_)) {
            inflateReset(&stream_);
            return;
        }
        input_.expect_end();
        ended_ = true;
    }

    Input input_;
    z_stream stream_{};
    bool ended_ = false;
};

class Zstd final : public Decompressor {
public:
    explicit Zstd(Input input) : input_(std::move(input)), context_(ZSTD_createDCtx(), ZSTD_freeDCtx) {
        if (!context_) local_failure(ENOMEM, "zstd");
        ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, zstd_window_log_max);
    }

    size_t read(uint8_t *data, size_t size) override {
        ZSTD_outBuffer out{data, size, 0};
        while (out.pos == 0) {
            bool more = input_.fill();
            if (!more && between_frames_) return 0;
            ZSTD_inBuffer in{input_.data(), input_.size(), 0};
            size_t result = ZSTD_decompressStream(context_.get(), &out, &in);
            if (ZSTD_isError(result)) bad_input(std::string("zstd stream is damaged: ") + ZSTD_getErrorName(result));
            if (!more && in.pos == 0 && out.pos == 0) bad_input("zstd stream is cut short");
            input_.skip(in.pos);
            between_frames_ = result == 0;
        }
        return out.pos;
    }

private:
    Input input_;
    std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context_;
    bool between_frames_ = false;
};

} // namespace

void decompress_prepare() {
    // By name, as the dynamic linker finds it; Debian ships no static library.
    void *library = dlopen("libisal.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    isal.init = reinterpret_cast<decltype(isal.init)>(dlsym(library, "isal_inflate_init"));
    isal.inflate = reinterpret_cast<decltype(isal.inflate)>(dlsym(library, "isal_inflate"));
    if (!isal.init) isal.inflate = nullptr;
}

std::unique_ptr<Decompressor> decompress(Source source) {
    static constexpr uint32_t zstd_magic = 0xfd2fb528, skippable_magic = 0x184d2a50; // RFC 8878, 3.1: little-endian
    Input input(std::move(source));
    size_t size = input.gather(4);
    const uint8_t *magic = input.data();
    if (size >= 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
        if (isal.inflate) return std::make_unique<GzipIsal>(std::move(input));
        return std::make_unique<GzipZlib>(std::move(input));
    }
    uint32_t word = 0;
    if (size >= sizeof word) memcpy(&word, magic, sizeof word);
    if (word == zstd_magic || (word & ~0xfu) == skippable_magic) return std::make_unique<Zstd>(std::move(input));
    return std::make_unique<Plain>(std::move(input));
}
