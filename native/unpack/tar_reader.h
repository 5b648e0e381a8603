// Entries of a tar stream: ustar, GNU long names, PAX. Strict: what two tools could read differently is refused, because a reader
// whose cursor can be led astray shows entries that nobody else has seen (CVE-2025-62518).
#pragma once
#include <atomic>
#include <cstdint>
#include <ctime>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "sparse.h"

struct TarLimits {
    uint64_t max_bytes = 64ull << 30; // of the whole tar stream
    uint64_t max_entries = 4'000'000;
    size_t max_path = 4095;
    size_t max_depth = 255;
    size_t max_extension = 1 << 20; // one PAX or long-name record block
    size_t max_xattrs = 128 << 10;  // of one entry, names and values
    // Bytes of the compressed stream so far, for a limit of how much they may become.
    const std::atomic<uint64_t> *compressed = nullptr;
};

enum class TarType { file, hard_link, symlink, character, block, directory, fifo };

struct TarEntry {
    TarType type = TarType::file;
    std::string path;  // as written, never empty, without NUL
    std::string link;  // target of a hard link or symlink
    uint32_t mode = 0; // permission bits and setuid, setgid, sticky
    uint32_t uid = 0, gid = 0;
    uint32_t major = 0, minor = 0;
    uint64_t size = 0; // of a file
    bool has_holes = false;
    std::vector<TarSpan> spans; // of a file: where its content goes, in order
    timespec mtime{};
    std::vector<std::pair<std::string, std::string>> xattrs;
};

class TarReader {
public:
    // Fills exactly `size` bytes or fewer at the end of the stream.
    using Source = std::function<size_t(uint8_t *data, size_t size)>;

    TarReader(Source source, TarLimits limits) : source_(std::move(source)), limits_(limits) {}

    // The next entry; false at the end of the archive. Content that was not read is skipped. Throws Failure.
    bool next(TarEntry &entry);
    // Content of the current entry, in order; 0 when all has been read.
    size_t read(uint8_t *data, size_t size);
    // Reads on to the end of the stream behind the archive's end mark; bounded by max_bytes (CVE-2017-14992).
    void drain();

    // For a directory that no entry is about and that had to be made: as an entry, and a block of a disk.
    void charge_directory();

    uint64_t bytes() const { return bytes_; }
    uint64_t entries() const { return entries_; }

private:
    struct Extension; // what PAX and GNU records say about the next real entry
    size_t fill(uint8_t *data, size_t size);
    void need(uint8_t *data, size_t size);
    void skip_content();
    std::string extension_block(uint64_t size);
    void check_global(const std::string &block);
    void parse_pax(const std::string &block, Extension &extension);
    void pax_record(const std::string &key, std::string value, Extension &extension);
    void make_entry(const uint8_t *header, Extension &extension, TarEntry &entry);
    void make_content(const uint8_t *header, const Extension &extension, TarEntry &entry);
    void charge_entry();
    void charge_bytes(uint64_t count);
    void check_names(const TarEntry &entry);

    Source source_;
    TarLimits limits_;
    uint64_t bytes_ = 0, entries_ = 0;
    uint64_t charged_ = 0; // the stream's and what it has us make
    uint64_t content_left_ = 0;
    uint32_t padding_ = 0;
};
