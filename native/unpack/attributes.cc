#include "attributes.h"

#include <cstring>
#include <fcntl.h>
#include <linux/limits.h>
#include <map>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "failure.h"
#include "tar_header.h"
#include "user_namespace.h"

namespace {

const std::string default_acl_name = "system.posix_acl_default";

bool is_for_layers(const std::string &name) {
    // Overlay's own marks would let an image redirect directories; only this program writes them.
    if (name.starts_with("trusted.") || name.starts_with("user.overlay.")) return false;
    // Labels belong to the node's policy, not to the image.
    return name != "security.selinux" && name != "security.ima" && name != "security.evm";
}

[[noreturn]] void xattr_failure(const std::string &name, const TarEntry &entry) {
    entry_failure(errno, "extended attribute " + tar_quote(name) + " of " + tar_quote(entry.path));
}

// An owner that the user namespace does not have is no fault of the archive.
[[noreturn]] void owner_failure(const TarEntry &entry) {
    if (errno != EINVAL || !in_user_namespace()) entry_failure(errno, tar_quote(entry.path));
    throw Failure{Blame::local, "not among the subordinate IDs of this user: owner " + std::to_string(entry.uid) + ":" +
                                    std::to_string(entry.gid) + " of " + tar_quote(entry.path)};
}

} // namespace

void set_attributes(int fd, const TarEntry &entry, std::optional<std::string> *default_acl) {
    // chown(2) clears setuid, setgid and file capabilities, so everything else comes after it.
    if (fchown(fd, entry.uid, entry.gid) < 0) owner_failure(entry);
    if (fchmod(fd, entry.mode) < 0) entry_failure(errno, tar_quote(entry.path));
    for (const auto &[name, value] : entry.xattrs) {
        if (!is_for_layers(name)) continue;
        if (default_acl && name == default_acl_name)
            *default_acl = value;
        else if (fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) < 0 && errno != EOPNOTSUPP)
            xattr_failure(name, entry);
    }
}

void set_default_acl(int fd, const std::string &acl) {
    if (fsetxattr(fd, default_acl_name.c_str(), acl.data(), acl.size(), 0) < 0 && errno != EOPNOTSUPP)
        entry_failure(errno, "default ACL of a directory");
}

void set_attributes_at(int parent, const std::string &name, const TarEntry &entry) {
    // Nobody else is in this directory, and none of these calls follows a link; a link has no mode (CVE-2021-32760).
    const timespec times[2] = {entry.mtime, entry.mtime};
    if (fchownat(parent, name.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) < 0) owner_failure(entry);
    if ((entry.type != TarType::symlink && fchmodat(parent, name.c_str(), entry.mode, 0) < 0) ||
        utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW) < 0)
        entry_failure(errno, tar_quote(entry.path));
    for (const auto &[key, value] : entry.xattrs) {
        // user.* exists on files and directories only (xattr(7)).
        if (!is_for_layers(key) || key.starts_with("user.")) continue;
        // There is no setxattrat before Linux 6.13: the working directory, which nothing else uses.
        if (fchdir(parent) < 0) local_failure(errno, tar_quote(entry.path));
        if (lsetxattr(name.c_str(), key.c_str(), value.data(), value.size(), 0) < 0 && errno != EOPNOTSUPP)
            xattr_failure(key, entry);
    }
}

namespace {

using Xattrs = std::map<std::string, std::string>;

// Those that an image may have.
Xattrs xattrs_of(int fd, const std::string &path) {
    std::string names(XATTR_LIST_MAX, '\0'), value(XATTR_SIZE_MAX, '\0');
    ssize_t size = flistxattr(fd, names.data(), names.size());
    if (size < 0 && errno != EOPNOTSUPP) local_failure(errno, "extended attributes of " + tar_quote(path));
    Xattrs found;
    for (const char *at = names.data(); at < names.data() + size; at += strlen(at) + 1) {
        if (!is_for_layers(at)) continue;
        ssize_t length = fgetxattr(fd, at, value.data(), value.size());
        if (length < 0) local_failure(errno, "extended attributes of " + tar_quote(path));
        found[at] = value.substr(0, static_cast<size_t>(length));
    }
    return found;
}

} // namespace

void copy_attributes(int from, int to, const std::string &path) {
    struct stat wanted, have;
    if (fstat(from, &wanted) < 0 || fstat(to, &have) < 0) local_failure(errno, tar_quote(path));
    Xattrs xattrs = xattrs_of(from, path);
    bool same = wanted.st_mode == have.st_mode && wanted.st_uid == have.st_uid && wanted.st_gid == have.st_gid;
    if (same && xattrs == xattrs_of(to, path)) return;
    const timespec times[2] = {wanted.st_mtim, wanted.st_mtim};
    if (fchown(to, wanted.st_uid, wanted.st_gid) < 0 || fchmod(to, wanted.st_mode & 07777) < 0)
        local_failure(errno, tar_quote(path));
    for (const auto &[name, value] : xattrs)
        if (fsetxattr(to, name.c_str(), value.data(), value.size(), 0) < 0)
            local_failure(errno, "extended attribute " + tar_quote(name) + " of " + tar_quote(path));
    if (futimens(to, times) < 0) local_failure(errno, tar_quote(path));
}
