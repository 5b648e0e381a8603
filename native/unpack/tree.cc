#include "tree.h"

#include <cstring>
#include <dirent.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "confine.h"
#include "failure.h"

void tree_for_each_name(int directory, const std::function<void(const char *)> &visit) {
    Fd again(openat(directory, ".", tree_flags));
    DIR *stream = again ? fdopendir(fcntl(again.get(), F_DUPFD_CLOEXEC, 3)) : nullptr;
    if (!stream) local_failure(errno, "directory of a tree");
    try {
        while (const dirent *entry = readdir(stream))
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) visit(entry->d_name);
    } catch (...) {
        closedir(stream);
        throw;
    }
    closedir(stream);
}

Fd tree_open(int directory, const char *path) {
    open_how how{};
    how.flags = tree_flags;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    return Fd(static_cast<int>(syscall(SYS_openat2, directory, path, &how, sizeof how)));
}

Fd tree_confine(const char *directory, std::initializer_list<int> capabilities, Role role) {
    Fd parent(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent || fchdir(parent.get()) < 0 || chroot(".") < 0) local_failure(errno, directory);
    confine_drop(capabilities);
    filter_system_calls(role);
    return parent;
}
