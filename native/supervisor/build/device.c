#include "build/device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/path.h"
#include "build/userns.h"

/* The name of a destination below /dev, or NULL. */
static const char *below_dev(const char *path) {
    while (path[0] == '/' && path[1] == '/') path++;
    return strncmp(path, "/dev/", 5) == 0 ? path + 5 : NULL;
}

/* Makes the node, with owners as the host calls them; the last of several plans for one name counts. The umask is 0. */
static int make_node(const struct builder *b, int dir, const char *name, const struct plan_op *op) {
    mode_t mode = (op->device.type == 'c' ? S_IFCHR : S_IFBLK) | op->device.mode;
    dev_t number = makedev(op->device.major, op->device.minor);
    if (mknodat(dir, name, mode, number) < 0 &&
        (errno != EEXIST || unlinkat(dir, name, 0) < 0 || mknodat(dir, name, mode, number) < 0))
        return -1;
    if (op->device.uid == userns_uid(b->env, 0) && op->device.gid == userns_gid(b->env, 0)) return 0;
    return fchownat(dir, name, op->device.uid, op->device.gid, AT_SYMLINK_NOFOLLOW);
}

/* Outside /dev the node would stay in the writable layer: it is made in our /dev, bound to its place, and its first name removed. */
static int bind_elsewhere(struct builder *b, const struct plan_op *op) {
    static const char name[] = ".device";
    if (make_node(b, b->dev, name, op) < 0) return -1;
    int tree = k_open_tree(b->dev, name, K_OPEN_TREE_CLONE);
    int target = tree < 0 ? -1 : path_in_root(b->root, op->device.destination, PATH_MAKE_FILE);
    int result = target < 0 ? -1 : k_move_mount(tree, target), error = errno;
    unlinkat(b->dev, name, 0);
    errno = error;
    return result;
}

static int apply_one(struct builder *b, const struct plan_op *op) {
    bool node = op->kind == PLAN_KIND_DEVICE;
    const char *inside = below_dev(node ? op->device.destination : op->symlink.destination), *name;
    if (!inside && node) return bind_elsewhere(b, op);
    if (!inside) {
        errno = EPERM;
        return -1;
    }
    int dir = b->dev;
    if (strchr(inside, '/')) {
        dir = path_parent(b->dev, inside, &name);
        if (dir < 0) return -1;
    } else {
        name = inside;
    }
    if (node) return make_node(b, dir, name, op);
    return symlinkat(op->symlink.target, dir, name) < 0 && errno != EEXIST ? -1 : 0;
}

static int apply_each(struct builder *b) {
    for (uint32_t i = 0; i < b->plan->count; i++) {
        struct plan_op *op = &b->plan->ops[i];
        if (op->code != PLAN_DEVICE) continue;
        const char *path = op->kind == PLAN_KIND_DEVICE ? op->device.destination : op->symlink.destination;
        if (b->dev < 0) return error_refuse(&b->err, EINVAL, "the plan mounts no /dev", plan_step(op), path, "device");
        if (apply_one(b, op) < 0) return error_fail(&b->err, errno, plan_step(op), path, "device");
    }
    return 0;
}

int device_apply_all(struct builder *b) {
    mode_t mask = umask(0);
    int result = apply_each(b);
    umask(mask);
    return result;
}
