#include "runtime/view.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/image_mount.h"
#include "build/mount.h"
#include "build/propagation.h"
#include "build/rootfs.h"

static int hide(const char *path) {
    char parent[4096];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    slash[slash == parent] = 0;
    if (propagation_end(parent) < 0) return -1;
    return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL ? -1 : 0;
}

int runtime_view_enter(const struct plan_op *op, struct error *err) {
    if (unshare(CLONE_NEWNS) < 0) return error_fail(err, errno, "runtime", "mount", "new namespace");
    if (op->runtime.hidden && hide(op->runtime.hidden) < 0)
        return error_fail(err, errno, "runtime", op->runtime.hidden, "mount to be hidden from the runtime");
    return 0;
}

/* Its place in the bundle, made as what the mount's root is. A pod's own root may have to pass through: its runtime works as that. */
static int place_of(int tree, const char *path) {
    struct stat st;
    if (fstat(tree, &st) < 0) return -1;
    if (S_ISDIR(st.st_mode)) {
        if (mkdir(path, 0700) < 0 && errno != EEXIST) return -1;
        return open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) return -1;
    close(file);
    return open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static int attach(int tree, const char *path) {
    int place = tree < 0 ? -1 : place_of(tree, path);
    if (place < 0 || k_move_mount(tree, place) < 0) return -1;
    close(place);
    return 0;
}

static int attach_as(int tree, const char *bundle, const char *name) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", bundle, name) < (int)sizeof path) return attach(tree, path);
    errno = ENAMETOOLONG;
    return -1;
}

/* What the runtime is to bind from the bundle because it could not get there or make it: images, and volumes in a user namespace. */
static int attach_volumes(struct builder *b, const char *bundle) {
    char path[4096];
    snprintf(path, sizeof path, "%s/mounts", bundle);
    for (uint32_t i = 0; i < b->plan->count; i++) {
        const struct plan_op *op = &b->plan->ops[i];
        if (op->code != PLAN_MOUNT) continue;
        const char *place = op->kind == PLAN_KIND_IMAGE ? op->image.destination : op->bind.destination;
        size_t len = strlen(path);
        if (op->kind == PLAN_KIND_MOUNT || strncmp(place, path, len) != 0 || place[len] != '/' ||
            strchr(place + len + 1, '/') || place[len + 1] == '.')
            return error_refuse(&b->err, EINVAL, "not a place in the bundle", "runtime", place, "mount");
        if ((mkdir(path, 0711) < 0 && errno != EEXIST) || attach(op->fd, place) < 0)
            return error_fail(&b->err, errno, plan_step(op), place, "mount in the bundle");
    }
    return 0;
}

/* The pod's namespace by a name: it has no process in it that is sure to be there. */
static int attach_userns(int userns, const char *bundle) {
    char path[32];
    if (userns < 0) return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", userns);
    return attach_as(k_open_tree(AT_FDCWD, path, K_OPEN_TREE_CLONE), bundle, "userns");
}

/* In the pod's empty mount namespace, where its shared memory lies and an overlay of mapped layers is put together. */
static int assemble(struct builder *b, int empty_mntns, int *shm) {
    int here = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (here < 0 || setns(empty_mntns, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0 ||
        (*shm = k_open_tree(AT_FDCWD, "/shm", K_OPEN_TREE_CLONE)) < 0)
        return error_fail(&b->err, errno, "runtime", "/dev/shm", "shared memory of the pod");
    if (rootfs_assemble(b) < 0 || image_mounts_narrow(b) < 0) return -1;
    if (setns(here, CLONE_NEWNS) < 0) return error_fail(&b->err, errno, "runtime", "mount", "namespace of the builder");
    close(here);
    return 0;
}

int runtime_view_mount(struct builder *b, const struct plan_op *op, int empty_mntns) {
    const char *bundle = op->runtime.bundle;
    int shm = -1;
    if (propagation_end(bundle) < 0) return error_fail(&b->err, errno, "runtime", bundle, "mount of the bundle");
    if (mount_open_sources(b) < 0 || rootfs_open(b) < 0 || assemble(b, empty_mntns, &shm) < 0) return -1;
    if (attach_as(b->rootfs, bundle, "rootfs") < 0 || attach_as(shm, bundle, "shm") < 0 ||
        attach_userns(b->env->userns, bundle) < 0)
        return error_fail(&b->err, errno, "runtime", bundle, "mounts of the bundle");
    return attach_volumes(b, bundle);
}
