#include "build/rootfs.h"

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
#include "build/overlay.h"

static int make_directory(const char *path, mode_t mode) { return mkdir(path, mode) < 0 && errno != EEXIST ? -1 : 0; }

/* Directories of the writable layer and the one above them. The layer's own mode is that of the container's root directory. */
static int make_writable_layer(const struct plan_op *op, const char **object) {
    char above[4096];
    const char *slash = strrchr(op->rootfs.upper, '/');
    size_t len = slash ? (size_t)(slash - op->rootfs.upper) : 0;
    *object = op->rootfs.upper;
    if (len == 0 || len >= sizeof above) {
        errno = EINVAL;
        return -1;
    }
    memcpy(above, op->rootfs.upper, len);
    above[len] = 0;
    if (make_directory(above, 0700) < 0 || make_directory(op->rootfs.upper, 0755) < 0) return -1;
    return make_directory(*object = op->rootfs.work, 0700);
}

/* The layers with mapped owners: one ID-mapped mount of the directory that all of them are in, not one per layer, which would take the
 * kernel's global mount lock for each. The writable layer is written through the same directory as it is. */
static int open_mapped(struct builder *b, const struct plan_op *op) {
    const struct k_mount_attr private = {.propagation = MS_PRIVATE};
    const char *base = op->rootfs.base;
    if (!base) return error_refuse(&b->err, EINVAL, "missing", "rootfs", "base", "directory of the layers");
    /* What the container's root writes to is its own; the directory is new, and nobody else can reach it yet. */
    if (lchown(op->rootfs.upper, b->env->map.uid, b->env->map.gid) < 0)
        return error_fail(&b->err, errno, "rootfs", op->rootfs.upper, "owner of the writable layer");
    b->layers = k_open_tree(AT_FDCWD, base, K_OPEN_TREE_CLONE);
    b->upper = k_open_tree(AT_FDCWD, base, K_OPEN_TREE_CLONE);
    b->descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (b->layers < 0 || b->upper < 0 || b->descriptors < 0 || k_mount_setattr(b->layers, 0, &private) < 0 ||
        k_mount_setattr(b->upper, 0, &private) < 0)
        return error_fail(&b->err, errno, "rootfs", base, "directory of the layers");
    return mount_idmap(b, b->layers, "rootfs", base);
}

int rootfs_open(struct builder *b) {
    const struct plan_op *op = plan_find(b->plan, PLAN_ROOTFS);
    const struct overlay overlay = {.lower = &op->rootfs.lower,
                                    .upper = op->rootfs.upper,
                                    .work = op->rootfs.work,
                                    .label = op->rootfs.label,
                                    .descriptors = -1};
    const char *object;
    if (make_writable_layer(op, &object) < 0) return error_fail(&b->err, errno, "rootfs", object, "writable layer");
    if (b->env->userns >= 0) return open_mapped(b, op);
    b->rootfs = overlay_open(&overlay, 0, &object);
    if (b->rootfs < 0) return error_fail(&b->err, errno, "rootfs", object, "overlay of the container");
    return image_mounts_open(b, 0);
}

/* Both mounts are in this namespace as long as the overlay is made of them; it keeps what it needs. */
int rootfs_assemble(struct builder *b) {
    const struct plan_op *op = plan_find(b->plan, PLAN_ROOTFS);
    char upper[4096], work[4096];
    const char *object = "/";
    if (b->env->userns < 0) return 0;
    size_t base = strlen(op->rootfs.base);
    const struct overlay overlay = {&op->rootfs.lower, base + 1, upper, work, op->rootfs.label, b->descriptors};
    if (snprintf(upper, sizeof upper, "/upper%s", op->rootfs.upper + base) >= (int)sizeof upper ||
        snprintf(work, sizeof work, "/upper%s", op->rootfs.work + base) >= (int)sizeof work)
        return error_fail(&b->err, ENAMETOOLONG, "rootfs", op->rootfs.upper, "writable layer");
    int under = open("/root", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int beside = open("/upper", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (under < 0 || beside < 0 || k_move_mount(b->layers, under) < 0 || k_move_mount(b->upper, beside) < 0 ||
        fchdir(b->layers) < 0)
        return error_fail(&b->err, errno, "rootfs", op->rootfs.base, "directory of the layers");
    b->rootfs = overlay_open(&overlay, 0, &object);
    if (b->rootfs < 0)
        return error_fail(&b->err, errno, "rootfs", object, "overlay of the container, with mapped owners");
    if (image_mounts_open(b, base + 1) < 0) return -1;
    if (chdir("/") < 0 || umount2("/root", MNT_DETACH) < 0 || umount2("/upper", MNT_DETACH) < 0)
        return error_fail(&b->err, errno, "rootfs", op->rootfs.base, "leaving the directory of the layers");
    close(b->descriptors);
    return 0;
}

int rootfs_pivot(struct builder *b) {
    int place = open("/root", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (place < 0 || k_move_mount(b->rootfs, place) < 0)
        return error_fail(&b->err, errno, "rootfs", "/", "attaching the overlay");
    /* Old and new root in one place and the old one gone at once: no path leads back (CVE-2026-87766). */
    if (fchdir(b->rootfs) < 0 || k_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return error_fail(&b->err, errno, "rootfs", "/", "pivot_root");
    b->root = b->rootfs;
    return 0;
}

int rootfs_seal(struct builder *b) {
    const struct plan_op *op = plan_find(b->plan, PLAN_ROOTFS);
    struct k_mount_attr attr = {.attr_set = op->rootfs.readonly ? K_MOUNT_ATTR_RDONLY : 0};
    if (op->rootfs.propagation == PLAN_PROPAGATION_SHARED) attr.propagation = MS_SHARED;
    if ((attr.attr_set || attr.propagation) && k_mount_setattr(b->root, 0, &attr) < 0)
        return error_fail(&b->err, errno, "rootfs", "/", "read-only root");
    return 0;
}
