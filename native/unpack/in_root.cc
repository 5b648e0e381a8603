#include "in_root.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

int open_in_root(int root, const std::string &path, uint64_t flags) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    // openat2(2): EAGAIN when something on this machine was renamed or mounted while ".." of a link was followed.
    constexpr int attempts = 1000;
    int fd = -1;
    for (int i = 0; i < attempts; i++) {
        fd = static_cast<int>(syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how));
        if (fd >= 0 || errno != EAGAIN) break;
    }
    return fd;
}
