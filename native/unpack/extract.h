// Writes the entries of one layer below the current root directory, in overlay's form. The process is confined to that
// directory, and still every name is resolved by the kernel beneath it, every object is made with O_EXCL and changed through
// its descriptor.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "fd.h"
#include "marks.h"
#include "room.h"
#include "tar_reader.h"
#include "way.h"

class Extractor {
public:
    explicit Extractor(Fd root) : root_(std::move(root)) {}

    void extract(const TarEntry &entry, TarReader &content);
    // What later entries change again, or would be changed by: times and default ACLs of directories.
    void finish();

    uint64_t file_bytes() const { return file_bytes_; }
    const Marks &marks() const { return marks_; }

private:
    struct Place {
        int parent;       // the root's, or borrowed from the cache, which stays open until the next entry
        std::string name; // one component; empty for the root itself
        std::string path; // in the layer, without links
    };
    struct DirectoryEnd {
        std::string path;
        timespec mtime;
        std::optional<std::string> default_acl;
    };
    Place find_place(const std::string &path, TarReader &content);
    void enter(const std::string &directory, TarReader &content);
    void make_opaque(int directory, const std::string &path);
    void whiteout(const Place &place, const TarEntry &entry);
    void make_directory(const Place &place, const TarEntry &entry);
    void make_file(const Place &place, const TarEntry &entry, TarReader &content);
    void write_span(int fd, const TarSpan &span, const TarEntry &entry, TarReader &content);
    void make_hard_link(const Place &place, const TarEntry &entry);
    void make_node(const Place &place, const TarEntry &entry);
    void clear_place(const Place &place, const TarEntry &entry);

    Fd root_;
    // The directory of the last entry: archives list a directory's files together. A path that resolved can come to mean
    // something else only when a name on its way is removed or replaced; clear_place, which alone does that, forgets it.
    std::string cached_path_;
    Way cached_;
    Marks marks_;
    std::deque<DirectoryEnd> directories_; // bounded by the process's memory limit
    Room buffer_{256 << 10};
    uint64_t file_bytes_ = 0;
};
