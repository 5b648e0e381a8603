#include "build/cgroup_delegate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/env.h"

#define DELEGATE "/sys/kernel/cgroup/delegate"

static bool is_writable(const struct plan *plan) {
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct plan_op *op = &plan->ops[i];
        if (op->code == PLAN_MOUNT && op->kind == PLAN_KIND_MOUNT && strcmp(op->mount.type, "cgroup2") == 0)
            return !(op->mount.flags & K_MOUNT_ATTR_RDONLY);
    }
    return false;
}

/* The kernel's own list of what may be given away (Linux 4.15; cgroup-v2.rst, "Model of Delegation"): the limits are not among it. */
static int give_files(int dir, const struct id_map *map) {
    char names[1024];
    int fd = open(DELEGATE, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, names, sizeof names - 1);
    if (fd >= 0) close(fd);
    if (n < 0) return -1;
    names[n] = 0;
    for (char *rest = names, *name; (name = strsep(&rest, "\n"));) {
        if (name[0] == 0 || strchr(name, '/')) continue;
        /* Those of controllers that are not passed on are not there. */
        if (fchownat(dir, name, map->uid, map->gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT) return -1;
    }
    return 0;
}

int cgroup_delegate(struct builder *b) {
    if (b->env->userns < 0 || !is_writable(b->plan)) return 0;
    for (uint32_t i = 0; i < b->plan->count; i++) {
        const struct plan_op *op = &b->plan->ops[i];
        if (!plan_is_own_cgroup(op) || op->cgroup_dir.version != PLAN_CGROUP_VERSION_V2) continue;
        int dir = open(op->cgroup_dir.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir < 0 || fchown(dir, b->env->map.uid, b->env->map.gid) < 0 || give_files(dir, &b->env->map) < 0)
            return error_fail(&b->err, errno, "cgroup-dir", op->cgroup_dir.path, "owner of the cgroup");
        close(dir);
    }
    return 0;
}
