#include "layer.h"

#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <latch>
#include <linux/capability.h>
#include <memory>
#include <sys/stat.h>
#include <thread>

#include "confine.h"
#include "decompress.h"
#include "digest.h"
#include "extract.h"
#include "failure.h"
#include "filter.h"
#include "input.h"
#include "ring.h"

namespace {

// Left half: stdin, digest of the compressed stream, decompression.
class Feeder {
public:
    explicit Feeder(Ring &ring) : ring_(ring) {}

    void run() {
        try {
            auto stream = decompress([this](uint8_t *data, size_t size) { return read_input(data, size); });
            while (uint8_t *buffer = ring_.begin_write()) {
                size_t count = fill(*stream, buffer);
                if (count == 0) break;
                ring_.end_write(count);
            }
            ring_.close();
        } catch (Failure &failure) {
            ring_.close(std::move(failure));
        } catch (const std::bad_alloc &) {
            ring_.close(Failure{Blame::local, "out of memory: decompression"});
        }
    }
    std::string digest() { return sha_.finish(); }
    const std::atomic<uint64_t> &compressed() const { return compressed_; }

private:
    static size_t fill(Decompressor &stream, uint8_t *buffer) {
        size_t have = 0;
        for (size_t got; have < Ring::chunk && (got = stream.read(buffer + have, Ring::chunk - have)) > 0;) have += got;
        return have;
    }
    size_t read_input(uint8_t *data, size_t size) {
        size_t got = ::read_input(data, size);
        sha_.update(data, got);
        compressed_ += got;
        return got;
    }

    Ring &ring_;
    Sha256 sha_;
    std::atomic<uint64_t> compressed_ = 0;
};

// Right half: the tar stream as the reader wants it, digested chunk by chunk.
class TarStream {
public:
    explicit TarStream(Ring &ring) : ring_(ring) {}

    size_t read(uint8_t *data, size_t size) {
        size_t done = 0;
        while (done < size) {
            if (left_ == 0 && !advance()) break;
            size_t count = std::min(size - done, left_);
            memcpy(data + done, at_, count);
            at_ += count;
            left_ -= count;
            done += count;
        }
        return done;
    }
    std::string diff_id() { return sha_.finish(); }

private:
    bool advance() {
        if (at_) ring_.end_read();
        at_ = ring_.begin_read(left_);
        if (!at_) return false;
        sha_.update(at_, left_);
        return true;
    }

    Ring &ring_;
    Sha256 sha_;
    const uint8_t *at_ = nullptr;
    size_t left_ = 0;
};

// What both threads use. The feeder holds it too: when the other one fails, it may be within a read that never ends, and the
// process then ends under it.
struct Shared {
    Ring ring;
    Feeder feeder{ring};
    std::latch confined{1};
};

void confine_layer() {
    // CAP_SYS_ADMIN writes trusted.overlay.opaque (xattr(7)); there is no lesser capability for it.
    confine_drop({CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP,
                  CAP_SYS_ADMIN});
}

void extract_all(TarReader &reader, Extractor &extractor) {
    TarEntry entry;
    while (reader.next(entry)) extractor.extract(entry, reader);
    reader.drain();
    extractor.finish();
}

} // namespace

LayerResult unpack_layer(const std::string &target, const std::string &marks, TarLimits limits, bool sync) {
    decompress_prepare();
    Fd marked(marks.empty() ? -1 : open(marks.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!marked && !marks.empty()) local_failure(errno, marks);
    Fd root = confine_to(target.c_str());
    Fd for_sync(fcntl(root.get(), F_DUPFD_CLOEXEC, 3));
    umask(0);

    auto shared = std::make_shared<Shared>();
    TarStream stream(shared->ring);
    limits.compressed = &shared->feeder.compressed();
    TarReader reader([&](uint8_t *data, size_t size) { return stream.read(data, size); }, limits);
    Extractor extractor(std::move(root));
    confine_layer();
    std::thread thread([shared] {
        shared->confined.wait(); // not a byte of the archive is read before
        shared->feeder.run();
    });
    try {
        filter_system_calls(Role::layer);
        shared->confined.count_down();
        extract_all(reader, extractor);
    } catch (...) {
        shared->ring.abandon();
        thread.detach();
        throw;
    }
    thread.join();
    if (marked) extractor.marks().write(marked.get());
    if (sync && syncfs(for_sync.get()) < 0) local_failure(errno, "writing the layer out");
    return {shared->feeder.digest(), stream.diff_id(),       shared->feeder.compressed(),     reader.bytes(),
            reader.entries(),        extractor.file_bytes(), extractor.marks().paths().size()};
}
