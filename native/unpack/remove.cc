#include "remove.h"

#include <cstdio>
#include <fcntl.h>

#include "failure.h"
#include "tar_header.h"
#include "tree.h"

namespace {

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

Fd open_own(int directory, const char *name) {
    Fd fd = tree_open(directory, name);
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
        tree_for_each_name(top_, [&](const char *name) {
            if (unlink_simple(top_, name)) return;
            found = true;
            // An earlier process of ours, left behind by a daemon that died, may be at the same tree.
            Fd child = open_own(top_, name);
            if (!child) return;
            tree_for_each_name(child.get(), [&](const char *inner) {
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
