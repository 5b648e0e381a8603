#include "rootfs.h"

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
#include "mount.h"

#define FSCONFIG_STRING_MAX 256 /* fsconfig(2) takes at most this, its NUL included */
#define MOUNT_DATA_MAX 4096     /* mount(2) takes one page */

/* Where the directories of the overlay are found: by their names or, in an empty mount namespace, by what is left of them. */
struct names {
    const struct plan_op *op;
    size_t skip; /* of the names of lower directories, which are then relative to the working directory */
    const char *upper, *work;
};

static const char *lower_name(const struct names *n, uint32_t i) { return n->op->rootfs.lower.at[i] + n->skip; }

/* A directory's name for a file system option: itself, or by descriptor when it is longer than fsconfig takes. */
static const char *option_path(const char *path, char *buffer, size_t size) {
    if (strlen(path) < FSCONFIG_STRING_MAX) return path;
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return NULL;
    snprintf(buffer, size, "/proc/self/fd/%d", fd);
    return buffer;
}

static int set_path(int fs, const char *key, const char *path) {
    char buffer[32];
    const char *value = option_path(path, buffer, sizeof buffer);
    return value ? k_fsconfig(fs, K_FSCONFIG_SET_STRING, key, value, 0) : -1;
}

/* -1 with ENOTSUP when this kernel has no "lowerdir+". */
static int open_by_layer(const struct names *n, const char **object) {
    int fs = k_fsopen("overlay"), fd = -1;
    *object = "overlay";
    if (fs < 0) return -1;
    for (uint32_t i = 0; i < n->op->rootfs.lower.count; i++) {
        *object = n->op->rootfs.lower.at[i];
        if (set_path(fs, "lowerdir+", lower_name(n, i)) < 0) {
            if (errno == EINVAL && i == 0) errno = ENOTSUP;
            goto out;
        }
    }
    *object = n->op->rootfs.upper;
    if (set_path(fs, "upperdir", n->upper) < 0 || set_path(fs, "workdir", n->work) < 0) goto out;
    /* The upper directory never outlives the boot that wrote it, so nobody needs it synchronised. Absent before 5.10. */
    k_fsconfig(fs, K_FSCONFIG_SET_FLAG, "volatile", NULL, 0);
    if (k_fsconfig(fs, K_FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        fd = k_fsmount(fs, 0);
    else if (errno == EINVAL)
        errno = ENOTSUP; /* before 6.5 every string is taken until here */
out:;
    int error = errno;
    close(fs);
    errno = error;
    return fd;
}

/* "lowerdir=5:6:…", names in /proc/self/fd, which fits a page for any number of layers whatever their names are. */
static int option_list(const struct names *n, char *data, size_t size) {
    size_t used = (size_t)snprintf(data, size, "volatile,lowerdir=");
    uint32_t lowers = n->op->rootfs.lower.count;
    for (uint32_t i = 0; i < lowers + 2; i++) {
        const char *path = i < lowers ? lower_name(n, i) : i == lowers ? n->upper : n->work;
        const char *before = i < lowers ? (i ? ":" : "") : i == lowers ? ",upperdir=" : ",workdir=";
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return -1;
        used += (size_t)snprintf(data + used, size - used, "%s%d", before, fd);
        if (used >= size) {
            errno = E2BIG;
            return -1;
        }
    }
    return 0;
}

/* mount(2) needs a place, and the layers have to be opened in the mount namespace it is in: overlayfs takes none from another. */
static int open_by_list(const struct names *n, int descriptors) {
    char data[MOUNT_DATA_MAX];
    if (descriptors < 0 || option_list(n, data, sizeof data) < 0 || fchdir(descriptors) < 0) return -1;
    if (mount("overlay", n->work, "overlay", 0, data) < 0 || chdir("/") < 0) return -1;
    return k_open_tree(AT_FDCWD, n->work, K_OPEN_TREE_CLONE);
}

int rootfs_open_by_list(const struct plan_op *op) {
    const struct names names = {op, 0, op->rootfs.upper, op->rootfs.work};
    /* A private copy of the host's mount namespace has a place that nobody else sees. */
    if (unshare(CLONE_NEWNS) < 0 || propagation_end(op->rootfs.work) < 0) return -1;
    return open_by_list(&names, open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

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
    if (!base) return build_refuse(&b->err, EINVAL, "missing", "rootfs", "base", "directory of the layers");
    /* What the container's root writes to is its own; the directory is new, and nobody else can reach it yet. */
    if (lchown(op->rootfs.upper, b->env->map.uid, b->env->map.gid) < 0)
        return build_fail(&b->err, errno, "rootfs", op->rootfs.upper, "owner of the writable layer");
    b->layers = k_open_tree(AT_FDCWD, base, K_OPEN_TREE_CLONE);
    b->upper = k_open_tree(AT_FDCWD, base, K_OPEN_TREE_CLONE);
    b->descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (b->layers < 0 || b->upper < 0 || b->descriptors < 0 || k_mount_setattr(b->layers, 0, &private) < 0 ||
        k_mount_setattr(b->upper, 0, &private) < 0)
        return build_fail(&b->err, errno, "rootfs", base, "directory of the layers");
    return mount_idmap(b, b->layers, "rootfs", base);
}

int rootfs_open(struct builder *b) {
    const struct plan_op *op = plan_find(b->plan, PLAN_ROOTFS);
    const struct names names = {op, 0, op->rootfs.upper, op->rootfs.work};
    const char *object;
    if (make_writable_layer(op, &object) < 0) return build_fail(&b->err, errno, "rootfs", object, "writable layer");
    if (b->env->userns >= 0) return open_mapped(b, op);
    b->rootfs = open_by_layer(&names, &object);
    if (b->rootfs < 0 && errno == ENOTSUP) b->rootfs = rootfs_open_by_list(op);
    return b->rootfs < 0 ? build_fail(&b->err, errno, "rootfs", object, "overlay of the container") : 0;
}

/* Both mounts are in this namespace as long as the overlay is made of them; it keeps what it needs. */
int rootfs_assemble(struct builder *b) {
    const struct plan_op *op = plan_find(b->plan, PLAN_ROOTFS);
    char upper[4096], work[4096];
    const char *object = "/";
    if (b->env->userns < 0) return 0;
    size_t base = strlen(op->rootfs.base);
    const struct names names = {op, base + 1, upper, work};
    if (snprintf(upper, sizeof upper, "/upper%s", op->rootfs.upper + base) >= (int)sizeof upper ||
        snprintf(work, sizeof work, "/upper%s", op->rootfs.work + base) >= (int)sizeof work)
        return build_fail(&b->err, ENAMETOOLONG, "rootfs", op->rootfs.upper, "writable layer");
    int under = open("/root", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int beside = open("/upper", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (under < 0 || beside < 0 || k_move_mount(b->layers, under) < 0 || k_move_mount(b->upper, beside) < 0 ||
        fchdir(b->layers) < 0)
        return build_fail(&b->err, errno, "rootfs", op->rootfs.base, "directory of the layers");
    b->rootfs = open_by_layer(&names, &object);
    if (b->rootfs < 0 && errno == ENOTSUP) b->rootfs = open_by_list(&names, b->descriptors);
    if (b->rootfs < 0)
        return build_fail(&b->err, errno, "rootfs", object, "overlay of the container, with mapped owners");
    if (chdir("/") < 0 || umount2("/root", MNT_DETACH) < 0 || umount2("/upper", MNT_DETACH) < 0)
        return build_fail(&b->err, errno, "rootfs", op->rootfs.base, "leaving the directory of the layers");
    close(b->descriptors);
    return 0;
}

int rootfs_pivot(struct builder *b) {
    int place = open("/root", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (place < 0 || k_move_mount(b->rootfs, place) < 0)
        return build_fail(&b->err, errno, "rootfs", "/", "attaching the overlay");
    /* Old and new root in one place and the old one gone at once: no path leads back (CVE-2026-87766). */
    if (fchdir(b->rootfs) < 0 || k_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return build_fail(&b->err, errno, "rootfs", "/", "pivot_root");
    b->root = b->rootfs;
    return 0;
}

int rootfs_seal(struct builder *b) {
    const struct plan_op *op = plan_find(b->plan, PLAN_ROOTFS);
    struct k_mount_attr attr = {.attr_set = op->rootfs.readonly ? K_MOUNT_ATTR_RDONLY : 0};
    if (op->rootfs.propagation == PLAN_SHARED) attr.propagation = MS_SHARED;
    if ((attr.attr_set || attr.propagation) && k_mount_setattr(b->root, 0, &attr) < 0)
        return build_fail(&b->err, errno, "rootfs", "/", "read-only root");
    return 0;
}
