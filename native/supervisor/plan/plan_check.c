/* What a decoded plan may say beyond its shape: combinations. */
#include "plan/plan_check.h"

#include <string.h>

bool plan_has_dotdot(const char *path) {
    for (const char *p = path; (p = strstr(p, "/..")); p += 3)
        if (p[3] == 0 || p[3] == '/') return true;
    return false;
}

/* They are opened by what is left of their names when the base's is taken away. */
static bool is_below(const char *path, const char *base) {
    size_t len = base ? strlen(base) : 0;
    return !base || (strncmp(path, base, len) == 0 && path[len] == '/' && !plan_has_dotdot(path));
}

static bool check_rootfs(const struct plan_rootfs *rootfs) {
    for (uint32_t i = 0; i < rootfs->lower.count; i++)
        if (!is_below(rootfs->lower.at[i], rootfs->base)) return false;
    return is_below(rootfs->upper, rootfs->base) && is_below(rootfs->work, rootfs->base);
}

/* (uid_t)-1 means "leave unchanged" and is never an identity. */
static bool check_groups(const struct wire_bytes *groups) {
    for (uint32_t i = 0; i < groups->len; i += 4)
        if (wire_load32(groups->data + i) > LIMIT_ID) return false;
    return true;
}

bool plan_check_op(const struct plan_op *op) {
    switch (op->code) {
    case PLAN_RLIMIT:
        return op->rlimit.soft <= op->rlimit.hard;
    case PLAN_ROOTFS:
        return check_rootfs(&op->rootfs);
    case PLAN_RUNTIME: /* the last component of a bundle's path is the container's name to its runtime */
        return op->runtime.bundle[strlen(op->runtime.bundle) - 1] != '/';
    case PLAN_CREDENTIALS:
        return check_groups(&op->credentials.groups);
    case PLAN_EXEC:
        return op->exec.argv.at[0][0] != 0;
    default:
        return true;
    }
}
