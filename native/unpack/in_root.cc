#include "in_root.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_resolved(int root, const std::string &path, uint64_t flags, uint64_t resolve) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = resolve;
    // openat2(2): EAGAIN when something on this machine was renamed or mounted while ".." of a link was followed.
    constexpr int attempts = 1000;
    int fd = -1;
    for (int i = 0; i < attempts; i++) {
        fd = static_cast<int>(syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how));
        if (fd >= 0 || errno != EAGAIN) break;
    }
    return fd;
}

int open_in_root(int root, const std::string &path, uint64_t flags) {
    return open_resolved(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int open_without_links(int root, const std::string &path, uint64_t flags) {
    return open_resolved(root, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}
