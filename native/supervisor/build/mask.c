#include "build/mask.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/mount.h"
#include "build/path.h"

#define SEALED (K_MOUNT_ATTR_RDONLY | K_MOUNT_ATTR_NOSUID | K_MOUNT_ATTR_NOEXEC)

static bool is_null(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static bool plan_makes_null(const struct plan *plan) {
    for (uint32_t i = 0; i < plan->count; i++)
        if (plan->ops[i].code == PLAN_DEVICE && plan->ops[i].kind == PLAN_KIND_DEVICE &&
            strcmp(plan->ops[i].device.destination, "/dev/null") == 0)
            return true;
    return false;
}

int mask_open_null(struct builder *b, int null_fd) {
    if (!plan_find(b->plan, PLAN_MASK) || plan_makes_null(b->plan)) return 0;
    struct k_mount_attr attr = {.attr_set = SEALED, .propagation = MS_PRIVATE};
    if (!is_null(null_fd))
        return error_refuse(&b->err, ENXIO, "not the null device", "mask", "/dev/null", "of the host");
    b->null_tree = k_open_tree(null_fd, "", AT_EMPTY_PATH | K_OPEN_TREE_CLONE);
    if (b->null_tree < 0 || k_mount_setattr(b->null_tree, 0, &attr) < 0)
        return error_fail(&b->err, errno, "mask", "/dev/null", "of the host");
    return 0;
}

/* Covers a file. The source is proven to be 1:3 every time: a /dev/null that is something else would hand it out instead of hiding
 * (CVE-2025-31133). */
static int cover_file(struct builder *b, int target) {
    if (b->null_file < 0 && b->null_tree >= 0) {
        b->null_file = b->null_tree;
        return is_null(b->null_file) ? k_move_mount(b->null_file, target) : -1;
    }
    if (b->null_file < 0 && b->dev >= 0) b->null_file = openat(b->dev, "null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (b->null_file < 0) return -1;
    if (!is_null(b->null_file)) {
        errno = ENXIO;
        return -1;
    }
    return mount_over(b->null_file, target, SEALED, 0) < 0 ? -1 : 0;
}

/* Covers a directory; all of a container's share one empty file system. */
static int cover_directory(struct builder *b, int target) {
    if (b->empty_dir >= 0) return mount_over(b->empty_dir, target, SEALED | K_MOUNT_ATTR_NODEV, 0) < 0 ? -1 : 0;
    const char *options[] = {"mode=555", "size=4k", "nr_inodes=2", NULL};
    struct plan_strings list = {options, 3};
    b->empty_dir = mount_new("tmpfs", &list, -1, SEALED | K_MOUNT_ATTR_NODEV);
    return b->empty_dir < 0 ? -1 : k_move_mount(b->empty_dir, target);
}

/* The object of a mask or readonly operation: -1 with errno; a missing one is 0 with *fd < 0. */
static int open_object(struct builder *b, const char *path, int *fd) {
    *fd = path_in_root(b->root, path, PATH_MAKE_NOTHING);
    return *fd < 0 && errno != ENOENT ? -1 : 0;
}

int mask_apply_all(struct builder *b) {
    for (uint32_t i = 0; i < b->plan->count; i++) {
        const struct plan_op *op = &b->plan->ops[i];
        struct stat st;
        int fd;
        if (op->code != PLAN_MASK) continue;
        if (open_object(b, op->mask.destination, &fd) < 0 || (fd >= 0 && fstat(fd, &st) < 0))
            return error_fail(&b->err, errno, "mask", op->mask.destination, "masked path");
        if (fd >= 0 && (S_ISDIR(st.st_mode) ? cover_directory(b, fd) : cover_file(b, fd)) < 0)
            return error_fail(&b->err, errno, "mask", op->mask.destination, "masked path");
    }
    return 0;
}

int readonly_apply_all(struct builder *b) {
    for (uint32_t i = 0; i < b->plan->count; i++) {
        const struct plan_op *op = &b->plan->ops[i];
        int fd;
        if (op->code != PLAN_READONLY) continue;
        if (open_object(b, op->readonly.destination, &fd) < 0 ||
            (fd >= 0 && mount_over(fd, fd, K_MOUNT_ATTR_RDONLY, AT_RECURSIVE) < 0))
            return error_fail(&b->err, errno, "readonly", op->readonly.destination, "read-only path");
    }
    return 0;
}
