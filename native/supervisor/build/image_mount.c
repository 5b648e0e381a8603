#include "build/image_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/overlay.h"

static bool is_image(const struct plan_op *op) { return op->code == PLAN_MOUNT && op->kind == PLAN_KIND_IMAGE; }

static bool all_below(const struct plan_strings *paths, const char *base) {
    size_t len = strlen(base);
    for (uint32_t i = 0; i < paths->count; i++)
        if (strncmp(paths->at[i], base, len) != 0 || paths->at[i][len] != '/') return false;
    return true;
}

int image_mounts_open(struct builder *b, size_t skip) {
    const char *base = plan_find(b->plan, PLAN_ROOTFS)->rootfs.base, *object;
    for (uint32_t i = 0; i < b->plan->count; i++) {
        struct plan_op *op = &b->plan->ops[i];
        if (!is_image(op)) continue;
        if (skip > 0 && !all_below(&op->image.lower, base))
            return error_refuse(&b->err, EINVAL, "not in the directory of the layers", "image", op->image.lower.at[0],
                                "layer");
        const struct overlay overlay = {.lower = &op->image.lower,
                                        .skip = skip,
                                        .label = op->image.label,
                                        .descriptors = skip > 0 ? b->descriptors : -1};
        op->fd = overlay_open(&overlay, op->image.flags | K_MOUNT_ATTR_RDONLY, &object);
        if (op->fd < 0) return error_fail(&b->err, errno, "image", object, "image of the volume");
    }
    return 0;
}

/* Symlinks of the image lead to places in the image (CVE-2017-1002101, CVE-2021-25741). The image is attached meanwhile, because older
 * kernels clone no part of a detached mount. */
static int narrow(struct builder *b, struct plan_op *op, int place) {
    const char *path = op->image.sub_path;
    if (k_move_mount(op->fd, place) < 0)
        return error_fail(&b->err, errno, "image", op->image.destination, "image of the volume");
    int sub = k_openat2(op->fd, path, O_PATH, K_RESOLVE_IN_ROOT | K_RESOLVE_NO_MAGICLINKS | K_RESOLVE_NO_XDEV);
    int tree = sub < 0 ? -1 : k_open_tree(sub, "", AT_EMPTY_PATH | K_OPEN_TREE_CLONE);
    if (tree < 0) return error_fail(&b->err, errno, "image", path, "image_sub_path, in the image");
    if (umount2("/upper", MNT_DETACH) < 0)
        return error_fail(&b->err, errno, "image", path, "image_sub_path, in the image");
    close(sub);
    close(op->fd);
    op->fd = tree;
    return 0;
}

int image_mounts_narrow(struct builder *b) {
    int place = -1;
    for (uint32_t i = 0; i < b->plan->count; i++) {
        struct plan_op *op = &b->plan->ops[i];
        if (!is_image(op) || !op->image.sub_path) continue;
        if (place < 0) place = open("/upper", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (place < 0) return error_fail(&b->err, errno, "image", "/upper", "place of the image");
        if (narrow(b, op, place) < 0) return -1;
    }
    if (place >= 0) close(place);
    return 0;
}
