#include "extract.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "failure.h"
#include "remove.h"
#include "tar_header.h"

namespace {

// Names of image-spec "Representing Changes"; they exist in layers only, never in a file system.
const std::string whiteout_prefix = ".wh.";
const std::string opaque_marker = ".wh..wh..opq";

// Symlinks of the layer itself are followed as if its root were "/" (images write through `lib -> usr/lib`); nothing leads out.
int open_in_root(int root, const std::string &path, uint64_t flags) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return static_cast<int>(syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
}

// Components without ".", empty ones and leading slashes; ".." is refused: no build tool writes it and it has one use.
std::vector<std::string> split(const std::string &path) {
    std::vector<std::string> parts;
    for (size_t at = 0; at < path.size();) {
        size_t slash = std::min(path.find('/', at), path.size());
        std::string part = path.substr(at, slash - at);
        if (part == "..")
            bad_input("\"..\" in a path: " + tar_quote(path));
        if (part.size() > 255)
            bad_input("name longer than 255 bytes: " + tar_quote(path));
        if (!part.empty() && part != ".")
            parts.push_back(std::move(part));
        at = slash + 1;
    }
    return parts;
}

std::string join(const std::vector<std::string> &parts, size_t count) {
    std::string path;
    for (size_t i = 0; i < count; i++)
        path += (i ? "/" : "") + parts[i];
    return path;
}

} // namespace

int Extractor::open_parent(const std::string &directory) {
    if (directory.empty())
        return root_.get();
    if (cached_ && directory == cached_path_)
        return cached_.get();
    int fd = open_in_root(root_.get(), directory, O_RDONLY | O_DIRECTORY);
    for (size_t end = 0; fd < 0 && errno == ENOENT && end != std::string::npos;) {
        // Parents that the archive forgot are made one by one, each below a directory that the kernel has just found in the root.
        end = directory.find('/', end ? end + 1 : 0);
        std::string part = directory.substr(0, end);
        size_t slash = part.rfind('/');
        Fd above(open_in_root(root_.get(), slash == std::string::npos ? "." : part.substr(0, slash), O_RDONLY | O_DIRECTORY));
        if (!above || (mkdirat(above.get(), part.c_str() + (slash == std::string::npos ? 0 : slash + 1), 0755) < 0 && errno != EEXIST))
            entry_failure(errno, tar_quote(part));
        fd = end == std::string::npos ? open_in_root(root_.get(), directory, O_RDONLY | O_DIRECTORY) : -1;
        errno = ENOENT;
    }
    if (fd < 0)
        entry_failure(errno, tar_quote(directory));
    cached_ = Fd(fd);
    cached_path_ = directory;
    return fd;
}

Extractor::Place Extractor::locate(const std::string &path) {
    std::vector<std::string> parts = split(path);
    if (parts.empty())
        return {root_.get(), ""};
    std::string name = parts.back();
    return {open_parent(join(parts, parts.size() - 1)), std::move(name)};
}

void Extractor::extract(const TarEntry &entry, TarReader &content) {
    Place place = locate(entry.path);
    if (place.name.starts_with(whiteout_prefix))
        return whiteout(place, entry);
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

// overlayfs.rst, "whiteouts and opaque directories".
void Extractor::whiteout(const Place &place, const TarEntry &entry) {
    if (place.name == opaque_marker) {
        if (fsetxattr(place.parent, "trusted.overlay.opaque", "y", 1, 0) < 0)
            local_failure(errno, "opaque mark of " + tar_quote(entry.path));
        return;
    }
    std::string hidden = place.name.substr(whiteout_prefix.size());
    if (hidden.starts_with(whiteout_prefix))
        return; // AUFS bookkeeping such as .wh..wh.plnk
    if (hidden.empty() || hidden == "." || hidden == "..")
        bad_input("whiteout of nothing: " + tar_quote(entry.path));
    // What this very layer puts there wins over its own whiteout, whichever comes first.
    if (mknodat(place.parent, hidden.c_str(), S_IFCHR, makedev(0, 0)) < 0 && errno != EEXIST)
        entry_failure(errno, tar_quote(entry.path));
}

// An entry replaces what an earlier one of this layer left in its place, except that a directory stays one.
void Extractor::clear_place(const Place &place, const TarEntry &entry) {
    struct stat st;
    if (fstatat(place.parent, place.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    cached_path_.clear();
    Fd keep_parent(fcntl(place.parent, F_DUPFD_CLOEXEC, 3));
    if (S_ISDIR(st.st_mode))
        remove_tree(keep_parent.get(), place.name);
    else if (unlinkat(place.parent, place.name.c_str(), 0) < 0)
        entry_failure(errno, tar_quote(entry.path));
}

void Extractor::make_directory(const Place &place, const TarEntry &entry) {
    Fd fd;
    if (place.name.empty()) {
        fd = Fd(open_in_root(root_.get(), ".", O_RDONLY | O_DIRECTORY));
    } else {
        if (mkdirat(place.parent, place.name.c_str(), 0700) < 0) {
            struct stat st;
            bool is_directory = errno == EEXIST && fstatat(place.parent, place.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
            if (errno == EEXIST && !is_directory) {
                clear_place(place, entry);
                if (mkdirat(place.parent, place.name.c_str(), 0700) < 0)
                    entry_failure(errno, tar_quote(entry.path));
            } else if (!is_directory) {
                entry_failure(errno, tar_quote(entry.path));
            }
        }
        fd = Fd(openat(place.parent, place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    }
    if (!fd)
        entry_failure(errno, tar_quote(entry.path));
    set_owner_mode(fd.get(), entry);
    set_xattrs(fd.get(), entry);
    directory_times_[join(split(entry.path), split(entry.path).size())] = entry.mtime;
}

void Extractor::make_file(const Place &place, const TarEntry &entry, TarReader &content) {
    constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    Fd fd(openat(place.parent, place.name.c_str(), flags, 0600));
    if (!fd && errno == EEXIST) {
        clear_place(place, entry);
        fd = Fd(openat(place.parent, place.name.c_str(), flags, 0600));
    }
    if (!fd)
        entry_failure(errno, tar_quote(entry.path));
    for (size_t count; (count = content.read(buffer_.data(), buffer_.size())) > 0;)
        for (size_t at = 0; at < count;) {
            ssize_t written = write(fd.get(), buffer_.data() + at, count - at);
            if (written < 0)
                local_failure(errno, tar_quote(entry.path));
            at += static_cast<size_t>(written);
        }
    file_bytes_ += entry.size;
    set_owner_mode(fd.get(), entry);
    set_xattrs(fd.get(), entry);
    const timespec times[2] = {entry.mtime, entry.mtime};
    if (futimens(fd.get(), times) < 0)
        local_failure(errno, tar_quote(entry.path));
}

// The object that was checked is the object that is linked: never a name again (CVE-2026-50163). Absolute names are the layer's own,
// some builders write them (follow-up of CVE-2026-17106).
void Extractor::make_hard_link(const Place &place, const TarEntry &entry) {
    std::vector<std::string> parts = split(entry.link);
    Fd target(open_in_root(root_.get(), join(parts, parts.size()), O_PATH | O_NOFOLLOW));
    struct stat st;
    if (!target || fstat(target.get(), &st) < 0)
        entry_failure(errno == ENOENT ? EINVAL : errno, "hard link " + tar_quote(entry.path) + " to missing " + tar_quote(entry.link));
    if (S_ISDIR(st.st_mode))
        bad_input("hard link to a directory: " + tar_quote(entry.path));
    struct stat there;
    if (fstatat(place.parent, place.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
        if (there.st_ino == st.st_ino && there.st_dev == st.st_dev)
            return;
        clear_place(place, entry);
    }
    if (linkat(target.get(), "", place.parent, place.name.c_str(), AT_EMPTY_PATH) < 0)
        entry_failure(errno, tar_quote(entry.path));
}

void Extractor::make_node(const Place &place, const TarEntry &entry) {
    auto make = [&] {
        switch (entry.type) {
        case TarType::symlink:
            cached_path_.clear();
            return symlinkat(entry.link.c_str(), place.parent, place.name.c_str());
        case TarType::fifo:
            return mknodat(place.parent, place.name.c_str(), S_IFIFO | 0600, 0);
        default:
            // 0:0 is overlay's whiteout: an image may hide what lies below it only by the names made for that.
            if (entry.major == 0 && entry.minor == 0)
                bad_input("device 0:0: " + tar_quote(entry.path));
            return mknodat(place.parent, place.name.c_str(), (entry.type == TarType::block ? S_IFBLK : S_IFCHR) | 0600,
                           makedev(entry.major, entry.minor));
        }
    };
    if (make() < 0) {
        if (errno != EEXIST)
            entry_failure(errno, tar_quote(entry.path));
        Fd parent(fcntl(place.parent, F_DUPFD_CLOEXEC, 3));
        Place again{parent.get(), place.name};
        clear_place(again, entry);
        return make_node(again, entry);
    }
    // These cannot be opened without side effects; nobody else is in this directory, and none of these calls follows a link.
    const char *name = place.name.c_str();
    const timespec times[2] = {entry.mtime, entry.mtime};
    if (fchownat(place.parent, name, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        (entry.type != TarType::symlink && fchmodat(place.parent, name, entry.mode, 0) < 0) ||
        utimensat(place.parent, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        entry_failure(errno, tar_quote(entry.path));
}

// chown(2) clears setuid and setgid, so the mode comes after it.
void Extractor::set_owner_mode(int fd, const TarEntry &entry) {
    if (fchown(fd, entry.uid, entry.gid) < 0 || fchmod(fd, entry.mode) < 0)
        entry_failure(errno, tar_quote(entry.path));
}

void Extractor::set_xattrs(int fd, const TarEntry &entry) {
    for (const auto &[name, value] : entry.xattrs) {
        // Overlay's own marks would let an image redirect directories; only this program writes them.
        if (name.starts_with("trusted.") || name.starts_with("user.overlay."))
            continue;
        // Labels belong to the node's policy, not to the image.
        if (name == "security.selinux" || name == "security.ima" || name == "security.evm")
            continue;
        if (fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) < 0 && errno != EOPNOTSUPP)
            entry_failure(errno, "extended attribute " + tar_quote(name) + " of " + tar_quote(entry.path));
    }
}

void Extractor::finish() {
    for (const auto &[path, mtime] : directory_times_) {
        Fd fd(open_in_root(root_.get(), path.empty() ? "." : path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        const timespec times[2] = {mtime, mtime};
        if (fd)
            futimens(fd.get(), times);
    }
}
