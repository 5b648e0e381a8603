#include "runtime_view.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "fail.h"
#include "kernel.h"
#include "propagation.h"
#include "rootfs.h"

static int hide(const char *path) {
    char parent[4096];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    slash[slash == parent] = 0;
    if (propagation_end(parent) < 0) return -1;
    return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL ? -1 : 0;
}

int runtime_view_enter(const struct plan_op *op, struct build_error *err) {
    if (unshare(CLONE_NEWNS) < 0) return build_fail(err, errno, "runtime", "mount", "new namespace");
    if (op->runtime.hidden && hide(op->runtime.hidden) < 0)
        return build_fail(err, errno, "runtime", op->runtime.hidden, "mount to be hidden from the runtime");
    return 0;
}

/* It lies in the pod's empty mount namespace. */
static int open_shm(int empty_mntns) {
    int here = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), tree = -1;
    if (here < 0 || setns(empty_mntns, CLONE_NEWNS) < 0) return -1;
    tree = k_open_tree(AT_FDCWD, "/shm", K_OPEN_TREE_CLONE);
    int error = errno;
    if (setns(here, CLONE_NEWNS) < 0) return -1;
    close(here);
    errno = error;
    return tree;
}

static int attach(int tree, const char *bundle, const char *name) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", bundle, name) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (mkdir(path, 0700) < 0 && errno != EEXIST) return -1;
    int place = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return place < 0 ? -1 : k_move_mount(tree, place);
}

int runtime_view_mount(struct builder *b, const struct plan_op *op, int empty_mntns) {
    const char *bundle = op->runtime.bundle;
    int shm = open_shm(empty_mntns);
    if (shm < 0) return build_fail(&b->err, errno, "runtime", "/dev/shm", "shared memory of the pod");
    if (propagation_end(bundle) < 0) return build_fail(&b->err, errno, "runtime", bundle, "mount of the bundle");
    if (rootfs_open(b) < 0) return -1;
    if (attach(b->rootfs, bundle, "rootfs") < 0 || attach(shm, bundle, "shm") < 0)
        return build_fail(&b->err, errno, "runtime", bundle, "mounts of the bundle");
    return 0;
}
