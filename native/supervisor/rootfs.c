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

#define FSCONFIG_STRING_MAX 256 /* fsconfig(2) takes at most this, its NUL included */
#define MOUNT_DATA_MAX 4096     /* mount(2) takes one page */

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
static int open_by_layer(const struct plan_op *op, const char **object) {
    int fs = k_fsopen("overlay"), fd = -1;
    *object = "overlay";
    if (fs < 0) return -1;
    for (uint32_t i = 0; i < op->rootfs.lower.count; i++) {
        *object = op->rootfs.lower.at[i];
        if (set_path(fs, "lowerdir+", *object) < 0) {
            if (errno == EINVAL && i == 0) errno = ENOTSUP;
            goto out;
        }
    }
    if (set_path(fs, "upperdir", *object = op->rootfs.upper) < 0 ||
        set_path(fs, "workdir", *object = op->rootfs.work) < 0)
        goto out;
    /* The upper directory never outlives the boot that wrote it, so nobody needs it synchronised. Absent before 5.10. */
    k_fsconfig(fs, K_FSCONFIG_SET_FLAG, "volatile", NULL, 0);
    *object = op->rootfs.upper;
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

/* "lowerdir=/proc/self/fd/5:…", which fits a page for some 230 layers whatever their names are. */
static int option_list(const struct plan_op *op, char *data, size_t size) {
    size_t used = (size_t)snprintf(data, size, "volatile,lowerdir=");
    for (uint32_t i = 0; i < op->rootfs.lower.count + 2; i++) {
        bool lower = i < op->rootfs.lower.count;
        const char *path = lower                         ? op->rootfs.lower.at[i]
                           : i == op->rootfs.lower.count ? op->rootfs.upper
                                                         : op->rootfs.work;
        const char *before = lower ? (i ? ":" : "") : i == op->rootfs.lower.count ? ",upperdir=" : ",workdir=";
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return -1;
        used += (size_t)snprintf(data + used, size - used, "%s/proc/self/fd/%d", before, fd);
        if (used >= size) {
            errno = E2BIG;
            return -1;
        }
    }
    return 0;
}

int rootfs_open_by_list(const struct plan_op *op) {
    char data[MOUNT_DATA_MAX];
    /* mount(2) needs a place: a private copy of the host's mount namespace has one that nobody else sees. The layers are opened in it,
     * overlayfs takes none from another namespace. */
    if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return -1;
    if (option_list(op, data, sizeof data) < 0) return -1;
    if (mount("overlay", op->rootfs.work, "overlay", 0, data) < 0) return -1;
    return k_open_tree(AT_FDCWD, op->rootfs.work, K_OPEN_TREE_CLONE);
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

int rootfs_open(struct builder *b) {
    const struct plan_op *op = plan_find(b->plan, PLAN_ROOTFS);
    const char *object;
    if (make_writable_layer(op, &object) < 0) return build_fail(&b->err, errno, "rootfs", object, "writable layer");
    b->rootfs = open_by_layer(op, &object);
    if (b->rootfs < 0 && errno == ENOTSUP) b->rootfs = rootfs_open_by_list(op);
    return b->rootfs < 0 ? build_fail(&b->err, errno, "rootfs", object, "overlay of the container") : 0;
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
