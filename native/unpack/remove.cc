#include "remove.h"

#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <functional>
#include <sys/stat.h>

#include "failure.h"
#include "fd.h"
#include "tar_header.h"

namespace {

constexpr int open_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

void for_each_name(int directory, const std::function<void(const char *)> &visit) {
    Fd again(openat(directory, ".", open_flags));
    DIR *stream = again ? fdopendir(fcntl(again.get(), F_DUPFD_CLOEXEC, 3)) : nullptr;
    if (!stream)
        local_failure(errno, "directory that is being removed");
    try {
        while (const dirent *entry = readdir(stream)) {
            std::string name = entry->d_name;
            if (name != "." && name != "..")
                visit(name.c_str());
        }
    } catch (...) {
        closedir(stream);
        throw;
    }
    closedir(stream);
}

// True when the name is gone: it was no directory, or an empty one.
bool unlink_simple(int directory, const char *name) {
    if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
        return true;
    if (errno != EISDIR && errno != EPERM)
        local_failure(errno, tar_quote(name));
    return unlinkat(directory, name, AT_REMOVEDIR) == 0;
}

class Flattener {
  public:
    Flattener(int top, dev_t device) : top_(top), device_(device) {}

    // One level: subdirectories of the top's subdirectories become the top's. False when the top was empty already.
    bool pass() {
        bool found = false;
        for_each_name(top_, [&](const char *name) {
            if (unlink_simple(top_, name))
                return;
            found = true;
            Fd child(openat(top_, name, open_flags));
            struct stat st;
            if (!child || fstat(child.get(), &st) < 0)
                local_failure(errno, tar_quote(name));
            if (st.st_dev != device_)
                local_failure(EXDEV, "another file system is mounted on " + tar_quote(name));
            for_each_name(child.get(), [&](const char *inner) {
                if (!unlink_simple(child.get(), inner))
                    lift(child.get(), inner);
            });
            if (unlinkat(top_, name, AT_REMOVEDIR) < 0)
                local_failure(errno, tar_quote(name));
        });
        return found;
    }

  private:
    // The new name must not be one that a stranger has chosen before.
    void lift(int directory, const char *name) {
        for (;; next_++) {
            std::string lifted = "lifted-" + std::to_string(next_);
            if (renameat2(directory, name, top_, lifted.c_str(), RENAME_NOREPLACE) == 0)
                break;
            if (errno != EEXIST)
                local_failure(errno, tar_quote(name));
        }
    }

    int top_;
    dev_t device_;
    uint64_t next_ = 0;
};

} // namespace

void remove_tree(int parent, const std::string &name) {
    if (unlink_simple(parent, name.c_str()))
        return;
    Fd top(openat(parent, name.c_str(), open_flags));
    struct stat st;
    if (!top || fstat(top.get(), &st) < 0)
        local_failure(errno, tar_quote(name));
    Flattener flattener(top.get(), st.st_dev);
    while (flattener.pass()) {
    }
    if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) < 0)
        local_failure(errno, tar_quote(name));
}
