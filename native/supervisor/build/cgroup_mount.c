#include "build/cgroup_mount.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <fcntl.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/mount.h"
#include "build/path.h"

static const char hierarchies[] = "/sys/fs/cgroup/";

static bool is_v1_leaf(const struct plan_op *op) {
    return op->code == PLAN_CGROUP_DIR && op->cgroup_dir.role == PLAN_CGROUP_ROLE_LEAF &&
           op->cgroup_dir.version != PLAN_CGROUP_VERSION_V2;
}

int cgroup_mount_open(struct builder *b, unsigned flags) {
    struct k_mount_attr attr = {.attr_set = flags, .propagation = 1ull << 18 /* MS_PRIVATE */};
    for (uint32_t i = 0; i < b->plan->count; i++) {
        struct plan_op *op = &b->plan->ops[i];
        if (!is_v1_leaf(op) || strncmp(op->cgroup_dir.path, hierarchies, sizeof hierarchies - 1) != 0) continue;
        op->fd = k_open_tree(AT_FDCWD, op->cgroup_dir.path, K_OPEN_TREE_CLONE);
        if (op->fd < 0 || k_mount_setattr(op->fd, 0, &attr) < 0)
            return error_fail(&b->err, errno, "mount", op->cgroup_dir.path, "cgroup of the container");
    }
    return 0;
}

/* "cpu,cpuacct" is also known as "cpu" and as "cpuacct". */
static int link_controllers(int dir, const char *name) {
    char one[64];
    for (const char *p = name; strchr(name, ',') && *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        if (len < sizeof one) {
            memcpy(one, p, len);
            one[len] = 0;
            if (symlinkat(name, dir, one) < 0) return -1;
        }
        p += len;
    }
    return 0;
}

int cgroup_mount_apply(struct builder *b, struct plan_op *op, int target) {
    const char *options[] = {"mode=755", "size=64k", NULL};
    struct plan_strings list = {options, 2};
    struct k_mount_attr readonly = {.attr_set = op->mount.flags};
    int dir = mount_new("tmpfs", &list, -1, op->mount.flags & ~K_MOUNT_ATTR_RDONLY);
    if (dir < 0) return error_fail(&b->err, errno, "mount", op->mount.destination, "tmpfs of the cgroup mounts");
    if (k_move_mount(dir, target) < 0)
        return error_fail(&b->err, errno, "mount", op->mount.destination, "mount destination");
    for (uint32_t i = 0; i < b->plan->count; i++) {
        struct plan_op *leaf = &b->plan->ops[i];
        if (!is_v1_leaf(leaf) || leaf->fd < 0) continue;
        char name[128];
        const char *start = leaf->cgroup_dir.path + sizeof hierarchies - 1;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(start, "/"), start);
        /* By name: the directory is ours, and nobody else is in this mount namespace yet. */
        if (mkdirat(dir, name, 0755) < 0 || k_move_mount_at(leaf->fd, dir, name) < 0 || link_controllers(dir, name) < 0)
            return error_fail(&b->err, errno, "mount", leaf->cgroup_dir.path, "cgroup of the container");
    }
    if (k_mount_setattr(dir, 0, &readonly) < 0)
        return error_fail(&b->err, errno, "mount", op->mount.destination, "read-only cgroup directory");
    return 0;
}
