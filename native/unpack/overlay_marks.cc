#include "overlay_marks.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "failure.h"
#include "tar_header.h"
#include "user_namespace.h"

bool is_whiteout(const struct stat &st) { return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0); }

bool is_whiteout(int directory, const std::string &name) {
    struct stat st;
    return fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && is_whiteout(st);
}

bool make_whiteout(int directory, const std::string &name) {
    return mknodat(directory, name.c_str(), S_IFCHR, makedev(0, 0)) == 0;
}

void mark_opaque(int directory, const std::string &path) {
    // Only root of the host may have the first (overlayfs.rst, "userxattr").
    const char *name = in_user_namespace() ? "user.overlay.opaque" : "trusted.overlay.opaque";
    if (fsetxattr(directory, name, "y", 1, 0) < 0) local_failure(errno, "opaque mark of " + tar_quote(path));
}
