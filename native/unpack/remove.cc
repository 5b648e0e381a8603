#include "remove.h"

#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <functional>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "confine.h"
#include "failure.h"
#include "filter.h"
#include "tar_header.h"

namespace {

constexpr int open_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

void for_each_name(int directory, const std::function<void(const char *)> &visit) {
    Fd again(openat(directory, ".", open_flags));
    DIR *stream = again ? fdopendir(fcntl(again.get(), F_DUPFD_CLOEXEC, 3)) : nullptr;
    if (!stream) local_failure(errno, "directory that is being removed");
    try {
        while (const dirent *entry = readdir(stream)) {
            std::string name = entry->d_name;
            if (name != "." && name != "..") visit(name.c_str());
        }
    } catch (...) {
        closedir(stream);
        throw;
    }
    closedir(stream);
}

// True when the name is gone: it was no directory, or an empty one.
bool unlink_simple(int directory, const char *name) {
    if (unlinkat(directory, name, 0) == 0 || errno == ENOENT) return true;
    int error = errno;
    if (error != EISDIR && error != EPERM) local_failure(error, tar_quote(name));
    if (unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
    // EPERM was about the file itself, which is immutable (unlink(2)).
    if (errno == ENOTDIR) local_failure(error, tar_quote(name));
    if (errno != ENOTEMPTY && errno != EEXIST) local_failure(errno, tar_quote(name));
    return false;
}

// Not the root of a mount, a bind mount of the same file system included: what is mounted is somebody else's.
Fd open_own(int directory, const char *name) {
    open_how how{};
    how.flags = open_flags;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
    Fd fd(static_cast<int>(syscall(SYS_openat2, directory, name, &how, sizeof how)));
    if (!fd && errno == EXDEV) local_failure(EBUSY, "something is mounted on " + tar_quote(name));
    if (!fd && errno != ENOENT) local_failure(errno, tar_quote(name));
    return fd;
}

void remove_empty(int directory, const char *name) {
    if (unlinkat(directory, name, AT_REMOVEDIR) < 0 && errno != ENOENT) local_failure(errno, tar_quote(name));
}

class Flattener {
public:
    explicit Flattener(int top) : top_(top) {}

    // One level: subdirectories of the top's subdirectories become the top's. False when the top was empty already.
    bool pass() {
        bool found = false;
        for_each_name(top_, [&](const char *name) {
            if (unlink_simple(top_, name)) return;
            found = true;
            // An earlier process of ours, left behind by a daemon that died, may be at the same tree.
            Fd child = open_own(top_, name);
            if (!child) return;
            for_each_name(child.get(), [&](const char *inner) {
                if (!unlink_simple(child.get(), inner)) lift(child.get(), inner);
            });
            remove_empty(top_, name);
        });
        return found;
    }

private:
    // The new name must not be one that a stranger has chosen before.
    void lift(int directory, const char *name) {
        for (;; next_++) {
            std::string lifted = "lifted-" + std::to_string(next_);
            if (renameat2(directory, name, top_, lifted.c_str(), RENAME_NOREPLACE) == 0 || errno == ENOENT) break;
            if (errno != EEXIST) local_failure(errno, tar_quote(name));
        }
    }

    int top_;
    uint64_t next_ = 0;
};

} // namespace

void remove_tree(int parent, const std::string &name) {
    if (unlink_simple(parent, name.c_str())) return;
    Fd top = open_own(parent, name.c_str());
    if (!top) return;
    Flattener flattener(top.get());
    while (flattener.pass()) {
    }
    remove_empty(parent, name.c_str());
}

Fd remove_confine(const char *directory) {
    Fd parent(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent || fchdir(parent.get()) < 0 || chroot(".") < 0) local_failure(errno, directory);
    confine_drop({CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER});
    filter_system_calls(Role::remove);
    return parent;
}
