// Writes the entries of one layer below the current root directory, in overlay's form. The process is confined to that directory, and
// still every name is resolved by the kernel beneath it, every object is made with O_EXCL and changed through its descriptor.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fd.h"
#include "tar_reader.h"

class Extractor {
  public:
    explicit Extractor(Fd root) : root_(std::move(root)) {}

    void extract(const TarEntry &entry, TarReader &content);
    // Times of directories, which later entries have changed again.
    void finish();

    uint64_t file_bytes() const { return file_bytes_; }

  private:
    struct Place {
        int parent;       // borrowed from the cache
        std::string name; // one component
    };
    Place locate(const std::string &path);
    int open_parent(const std::string &directory);
    void whiteout(const Place &place, const TarEntry &entry);
    void make_directory(const Place &place, const TarEntry &entry);
    void make_file(const Place &place, const TarEntry &entry, TarReader &content);
    void make_hard_link(const Place &place, const TarEntry &entry);
    void make_node(const Place &place, const TarEntry &entry);
    void set_owner_mode(int fd, const TarEntry &entry);
    void set_xattrs(int fd, const TarEntry &entry);
    void clear_place(const Place &place, const TarEntry &entry);

    Fd root_;
    // The directory of the last entry: archives list a directory's files together. Any entry that could change what a path means
    // (a removal, a symlink) drops it.
    std::string cached_path_;
    Fd cached_;
    std::map<std::string, timespec> directory_times_;
    std::vector<uint8_t> buffer_ = std::vector<uint8_t>(256 << 10);
    uint64_t file_bytes_ = 0;
};
