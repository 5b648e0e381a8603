#include "extract.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "attributes.h"
#include "failure.h"
#include "in_root.h"
#include "overlay_marks.h"
#include "remove.h"
#include "tar_header.h"
#include "user_namespace.h"

namespace {

// Names of image-spec "Representing Changes"; they exist in layers only, never in a file system.
constexpr std::string_view whiteout_prefix = ".wh.";
constexpr std::string_view opaque_marker = ".wh..wh..opq";
constexpr std::string_view bookkeeping_prefix = ".wh..wh."; // AUFS kept its own files under such names

constexpr size_t longest_name = 255;

// Without ".", empty components and leading slashes; ".." is refused: no build tool writes it and it has one use.
std::string normal(const std::string &path) {
    std::string result;
    result.reserve(path.size());
    for (size_t at = 0; at < path.size();) {
        size_t slash = std::min(path.find('/', at), path.size());
        std::string_view part(path.data() + at, slash - at);
        at = slash + 1;
        if (part == "..") bad_input("\"..\" in a path: " + tar_quote(path));
        if (part.size() > longest_name) bad_input("name longer than 255 bytes: " + tar_quote(path));
        if (part.empty() || part == ".") continue;
        if (!result.empty()) result += '/';
        result += part;
    }
    return result;
}

// True when the entry is to be ignored.
bool check_directories(const std::string &directory, const TarEntry &entry) {
    for (size_t at = 0; at < directory.size();) {
        if (directory.compare(at, bookkeeping_prefix.size(), bookkeeping_prefix) == 0) return true;
        if (directory.compare(at, whiteout_prefix.size(), whiteout_prefix) == 0)
            bad_input("a whiteout is no directory: " + tar_quote(entry.path));
        size_t slash = directory.find('/', at);
        at = slash == std::string::npos ? directory.size() : slash + 1;
    }
    return false;
}

Fd open_directory(int parent, const std::string &name) {
    return Fd(openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

} // namespace

// Symlinks of the layer itself are followed as if its root were "/": images write through `lib -> usr/lib`.
void Extractor::enter(const std::string &directory, TarReader &content) {
    if (cached_.directory && directory == cached_path_) return;
    Way way{Fd(open_without_links(root_.get(), directory, O_RDONLY | O_DIRECTORY)), directory};
    if (!way.directory) {
        if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) entry_failure(errno, tar_quote(directory));
        way = make_way(root_.get(), directory, [&](const std::string &made, bool replaces) {
            // A link may lead to a name that no entry may have.
            if (made.find(whiteout_prefix, made.rfind('/') + 1) == made.rfind('/') + 1)
                bad_input("a whiteout is no directory: " + tar_quote(made));
            content.charge_directory();
            marks_.add(made, replaces ? Marks::opaque : Marks::implied);
        });
    }
    cached_ = std::move(way);
    cached_path_ = directory;
}

Extractor::Place Extractor::find_place(const std::string &path, TarReader &content) {
    size_t slash = path.rfind('/');
    if (slash == std::string::npos) return {root_.get(), path, path};
    enter(path.substr(0, slash), content);
    std::string name = path.substr(slash + 1);
    std::string real = cached_.path.empty() ? name : cached_.path + "/" + name;
    return {cached_.directory.get(), std::move(name), std::move(real)};
}

void Extractor::make_opaque(int directory, const std::string &path) {
    mark_opaque(directory, path);
    marks_.add(path, Marks::opaque);
}

void Extractor::extract(const TarEntry &entry, TarReader &content) {
    std::string path = normal(entry.path);
    size_t slash = path.rfind('/');
    if (slash != std::string::npos && check_directories(path.substr(0, slash), entry)) return;
    Place place = find_place(path, content);
    if (place.name.starts_with(whiteout_prefix)) return whiteout(place, entry);
    if (place.name.empty() && entry.type != TarType::directory)
        bad_input("the layer's root is not a directory: " + tar_quote(entry.path));
    switch (entry.type) {
    case TarType::directory:
        return make_directory(place, entry);
    case TarType::file:
        return make_file(place, entry, content);
    case TarType::hard_link:
        return make_hard_link(place, entry);
    default:
        return make_node(place, entry);
    }
}

// What this very layer puts in the place wins over its own whiteout, whichever comes first; a directory is then all there is.
void Extractor::whiteout(const Place &place, const TarEntry &entry) {
    std::string directory =
        place.path.substr(0, place.path.size() - std::min(place.path.size(), place.name.size() + 1));
    if (place.name == opaque_marker) return make_opaque(place.parent, directory);
    std::string hidden = place.name.substr(whiteout_prefix.size());
    if (hidden.starts_with(whiteout_prefix)) return; // bookkeeping_prefix
    if (hidden.empty() || hidden == "." || hidden == "..") bad_input("whiteout of nothing: " + tar_quote(entry.path));
    if (make_whiteout(place.parent, hidden)) return marks_.add(directory, Marks::whiteouts);
    if (errno != EEXIST) entry_failure(errno, tar_quote(entry.path));
    Fd there = open_directory(place.parent, hidden);
    if (!there) return;
    std::string path = directory.empty() ? hidden : directory + "/" + hidden;
    make_opaque(there.get(), path);
    marks_.remove(path, Marks::implied);
}

// An entry replaces what an earlier one of this layer left in its place, except that a directory stays one.
void Extractor::clear_place(const Place &place, const TarEntry &entry) {
    cached_path_.clear(); // but the descriptor stays: place.parent is it
    marks_.forget(place.path);
    struct stat st;
    if (fstatat(place.parent, place.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0)
        entry_failure(errno, tar_quote(entry.path));
    if (S_ISDIR(st.st_mode))
        remove_tree(place.parent, place.name);
    else if (unlinkat(place.parent, place.name.c_str(), 0) < 0)
        entry_failure(errno, tar_quote(entry.path));
    // The daemon compares the size with the files that are there.
    if (S_ISREG(st.st_mode) && st.st_nlink == 1) file_bytes_ -= static_cast<uint64_t>(st.st_size);
}

void Extractor::make_directory(const Place &place, const TarEntry &entry) {
    DirectoryEnd end{place.path, entry.mtime, {}};
    if (place.name.empty()) {
        // The root's own entry is for the layer's directory and no other (CVE-2021-41089).
        set_attributes(root_.get(), entry, &end.default_acl);
        directories_.push_back(std::move(end));
        return;
    }
    bool replaces = false;
    if (mkdirat(place.parent, place.name.c_str(), 0700) < 0) {
        struct stat st;
        if (errno != EEXIST || fstatat(place.parent, place.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0)
            entry_failure(errno, tar_quote(entry.path));
        if (!S_ISDIR(st.st_mode)) {
            clear_place(place, entry);
            if (mkdirat(place.parent, place.name.c_str(), 0700) < 0) entry_failure(errno, tar_quote(entry.path));
            replaces = true;
        }
    }
    Fd fd = open_directory(place.parent, place.name);
    if (!fd) entry_failure(errno, tar_quote(entry.path));
    // A whiteout or a file was there, and had hidden what lower layers have under this name.
    if (replaces) make_opaque(fd.get(), place.path);
    marks_.remove(place.path, Marks::implied);
    set_attributes(fd.get(), entry, &end.default_acl);
    directories_.push_back(std::move(end));
}

void Extractor::write_span(int fd, const TarSpan &span, const TarEntry &entry, TarReader &content) {
    if (entry.has_holes && lseek(fd, static_cast<off_t>(span.offset), SEEK_SET) < 0)
        entry_failure(errno, tar_quote(entry.path));
    for (uint64_t left = span.size; left > 0;) {
        size_t count = content.read(buffer_.data(), static_cast<size_t>(std::min<uint64_t>(buffer_.size(), left)));
        for (size_t at = 0; at < count;) {
            ssize_t written = write(fd, buffer_.data() + at, count - at);
            if (written < 0) local_failure(errno, tar_quote(entry.path));
            at += static_cast<size_t>(written);
        }
        left -= count;
    }
}

void Extractor::make_file(const Place &place, const TarEntry &entry, TarReader &content) {
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    Fd fd(openat(place.parent, place.name.c_str(), flags, 0600));
    if (!fd && errno == EEXIST) {
        clear_place(place, entry);
        fd = Fd(openat(place.parent, place.name.c_str(), flags, 0600));
    }
    if (!fd) entry_failure(errno, tar_quote(entry.path));
    for (const TarSpan &span : entry.spans) write_span(fd.get(), span, entry, content);
    // What no span has written is a hole.
    if (entry.has_holes && ftruncate(fd.get(), static_cast<off_t>(entry.size)) < 0)
        entry_failure(errno, tar_quote(entry.path));
    file_bytes_ += entry.size;
    set_attributes(fd.get(), entry);
    const timespec times[2] = {entry.mtime, entry.mtime};
    if (futimens(fd.get(), times) < 0) local_failure(errno, tar_quote(entry.path));
}

// The object that was checked is the object that is linked: never a name again (CVE-2026-50163). Absolute names are the
// layer's own, some builders write them (follow-up of CVE-2026-17106).
void Extractor::make_hard_link(const Place &place, const TarEntry &entry) {
    Fd target(open_in_root(root_.get(), normal(entry.link), O_PATH | O_NOFOLLOW));
    struct stat st;
    bool found = target && fstat(target.get(), &st) == 0;
    if (!found && errno != ENOENT && errno != ENOTDIR) entry_failure(errno, tar_quote(entry.path));
    if (!found || is_whiteout(st))
        bad_input("target is missing: hard link " + tar_quote(entry.path) + " to " + tar_quote(entry.link));
    if (S_ISDIR(st.st_mode)) bad_input("hard link to a directory: " + tar_quote(entry.path));
    struct stat there;
    if (fstatat(place.parent, place.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
        if (there.st_ino == st.st_ino && there.st_dev == st.st_dev) return;
        clear_place(place, entry);
    }
    if (linkat(target.get(), "", place.parent, place.name.c_str(), AT_EMPTY_PATH) < 0)
        entry_failure(errno, tar_quote(entry.path));
}

void Extractor::make_node(const Place &place, const TarEntry &entry) {
    bool is_device = entry.type == TarType::character || entry.type == TarType::block;
    // 0:0 is overlay's whiteout: an image may hide what lies below it only by the names made for that.
    if (is_device && entry.major == 0 && entry.minor == 0) bad_input("device 0:0: " + tar_quote(entry.path));
    mode_t kind = entry.type == TarType::fifo ? S_IFIFO : entry.type == TarType::block ? S_IFBLK : S_IFCHR;
    auto make = [&] {
        if (entry.type == TarType::symlink) return symlinkat(entry.link.c_str(), place.parent, place.name.c_str());
        return mknodat(place.parent, place.name.c_str(), kind | 0600, makedev(entry.major, entry.minor));
    };
    bool made = make() == 0;
    if (!made && errno == EEXIST) {
        clear_place(place, entry);
        made = make() == 0;
    }
    // mknod(2): nobody in a user namespace makes a device; the image is used without it, as by other runtimes of users.
    if (!made && is_device && errno == EPERM && in_user_namespace()) return;
    if (!made) entry_failure(errno, tar_quote(entry.path));
    set_attributes_at(place.parent, place.name, entry);
}

void Extractor::finish() {
    for (const DirectoryEnd &end : directories_) {
        // One that a later entry has replaced is no directory any more.
        Fd fd(open_without_links(root_.get(), end.path, O_RDONLY | O_DIRECTORY));
        if (!fd) continue;
        if (end.default_acl) set_default_acl(fd.get(), *end.default_acl);
        const timespec times[2] = {end.mtime, end.mtime};
        if (futimens(fd.get(), times) < 0) local_failure(errno, tar_quote(end.path));
    }
}
