/* What a decoded plan may say: ranges, combinations, how often. */
#include "plan/plan_check.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

#define ID_INVALID UINT32_MAX /* (uid_t)-1: "leave unchanged", never an identity */

static bool in(uint32_t value, uint32_t min, uint32_t max) { return value >= min && value <= max; }

/* cgroup paths are made and removed by name: no way out of the hierarchy. */
static bool has_dotdot(const char *path) {
    for (const char *p = path; (p = strstr(p, "/..")); p += 3)
        if (p[3] == 0 || p[3] == '/') return true;
    return false;
}

/* They are opened by what is left of their names when the base's is taken away. */
static bool is_below(const char *path, const char *base) {
    size_t len = base ? strlen(base) : 0;
    return !base || (strncmp(path, base, len) == 0 && path[len] == '/' && !has_dotdot(path));
}

/* The last component of a bundle's path is the container's name to its runtime. */
static bool ends_in_slash(const char *path) { return path[strlen(path) - 1] == '/'; }

static bool known_type(const char *type) {
    static const char *const types[] = {"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "shm"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0) return true;
    return false;
}

#define MOUNT_FLAGS 0x3fu /* ro, nosuid, nodev, noexec, noatime, strictatime */

static bool check_credentials(const struct plan_credentials *c) {
    if (c->groups.len % 4 || c->groups.len / 4 > 65536 || c->no_new_privileges > 1 || c->umask > 0777) return false;
    for (uint32_t i = 0; i < c->groups.len; i += 4)
        if (wire_load32(c->groups.data + i) == ID_INVALID) return false;
    return c->uid != ID_INVALID && c->gid != ID_INVALID;
}

static bool check_image(const struct plan_op *op) {
    for (uint32_t i = 0; i < op->image.lower.count; i++)
        if (!plan_good_path(op->image.lower.at[i]) || has_dotdot(op->image.lower.at[i])) return false;
    return op->image.lower.count > 1 && (op->image.flags & ~MOUNT_FLAGS) == 0 &&
           (!op->image.sub_path || op->image.sub_path[0] != 0);
}

/* Ranges and combinations that the shape does not say. */
bool plan_check_op(const struct plan_op *op) {
    switch (op->code) {
    case PLAN_CGROUP_DIR:
        return in(op->cgroup_dir.version, 1, 3) && in(op->cgroup_dir.role, 1, 3) && !has_dotdot(op->cgroup_dir.path);
    case PLAN_CGROUP_WRITE:
        return op->cgroup_write.optional <= 1 && !has_dotdot(op->cgroup_write.path);
    case PLAN_CGROUP_DEVICES:
        return op->cgroup_devices.program.len > 0 && op->cgroup_devices.program.len % 8 == 0 &&
               op->cgroup_devices.program.len / 8 <= 4096 && !has_dotdot(op->cgroup_devices.path);
    case PLAN_OOM_SCORE_ADJ:
        return op->oom.value >= -1000 && op->oom.value <= 1000;
    case PLAN_NAMESPACES:
        return in(op->namespaces.pid, 1, 4) && op->namespaces.host_cgroup <= 1;
    case PLAN_RLIMIT:
        return op->rlimit.resource < 16 && op->rlimit.soft <= op->rlimit.hard;
    case PLAN_ROOTFS:
        for (uint32_t i = 0; i < op->rootfs.lower.count; i++)
            if (!plan_good_path(op->rootfs.lower.at[i]) || !is_below(op->rootfs.lower.at[i], op->rootfs.base))
                return false;
        if (!is_below(op->rootfs.upper, op->rootfs.base) || !is_below(op->rootfs.work, op->rootfs.base)) return false;
        return op->rootfs.lower.count > 0 && op->rootfs.readonly <= 1 && in(op->rootfs.propagation, 1, 3);
    case PLAN_MOUNT:
        if (op->kind == PLAN_KIND_IMAGE) return check_image(op);
        if (op->kind == PLAN_KIND_MOUNT) return known_type(op->mount.type) && (op->mount.flags & ~MOUNT_FLAGS) == 0;
        return (op->bind.flags & ~MOUNT_FLAGS) == 0 && op->bind.recursive_readonly <= 1 && op->bind.idmap <= 1 &&
               in(op->bind.propagation, 1, 3);
    case PLAN_DEVICE:
        if (op->kind == PLAN_KIND_SYMLINK) return op->symlink.target[0] != 0;
        return (op->device.type == 'c' || op->device.type == 'b') && op->device.major <= 0xfff &&
               op->device.minor <= 0xfffff && op->device.mode <= 07777 && op->device.uid != ID_INVALID &&
               op->device.gid != ID_INVALID;
    case PLAN_RUNTIME:
        return !has_dotdot(op->runtime.bundle) && !ends_in_slash(op->runtime.bundle) && op->runtime.systemd <= 1;
    case PLAN_APPARMOR:
    case PLAN_SELINUX:
        return op->label.value[0] != 0;
    case PLAN_CREDENTIALS:
        return check_credentials(&op->credentials);
    case PLAN_SECCOMP:
        return op->seccomp.filter.len > 0 && op->seccomp.filter.len % 8 == 0 && op->seccomp.filter.len / 8 <= 4096 &&
               (op->seccomp.flags & ~PLAN_SECCOMP_FLAGS) == 0;
    case PLAN_EXEC:
        return op->exec.argv.count > 0 && op->exec.argv.at[0][0] != 0;
    default:
        return true;
    }
}

/* How often an operation may be there: in a container's plan, in a further process's, in an update's; and where an external runtime does
 * the work, in a container's and in a further process's. */
static const struct {
    uint16_t code;
    struct {
        uint16_t min, max;
    } times[PLAN_OF_KEPT];
} counts[] = {
    {PLAN_CGROUP_DIR, {{0, 64}, {0, 0}, {0, 0}, {0, 64}}},
    {PLAN_CGROUP_WRITE, {{0, 4096}, {0, 0}, {0, 64}, {0, 4096}}},
    {PLAN_CGROUP_DEVICES, {{0, 1}, {0, 0}, {0, 0}, {0, 1}}},
    {PLAN_OOM_SCORE_ADJ, {{0, 1}, {0, 1}, {0, 0}, {0, 1}, {0, 1}}},
    {PLAN_NAMESPACES, {{1, 1}, {0, 0}, {0, 0}}},
    {PLAN_RLIMIT, {{0, 16}, {0, 16}, {0, 0}}},
    {PLAN_RUNTIME, {{0, 0}, {0, 0}, {0, 0}, {1, 1}}},
    {PLAN_ROOTFS, {{1, 1}, {0, 0}, {0, 0}, {1, 1}}},
    {PLAN_MOUNT, {{0, 4096}, {0, 0}, {0, 0}, {0, 4096}}},
    {PLAN_DEVICE, {{0, 4096}, {0, 0}, {0, 0}}},
    {PLAN_MASK, {{0, 4096}, {0, 0}, {0, 0}}},
    {PLAN_READONLY, {{0, 4096}, {0, 0}, {0, 0}}},
    {PLAN_TERMINAL, {{0, 1}, {0, 1}, {0, 0}, {0, 1}, {0, 1}}},
    {PLAN_CWD, {{1, 1}, {1, 1}, {0, 0}}},
    {PLAN_APPARMOR, {{0, 1}, {0, 1}, {0, 0}}},
    {PLAN_SELINUX, {{0, 1}, {0, 1}, {0, 0}}},
    {PLAN_CREDENTIALS, {{1, 1}, {1, 1}, {0, 0}}},
    {PLAN_SECCOMP, {{0, 1}, {0, 1}, {0, 0}}},
    {PLAN_RUNTIME_PROCESS, {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {1, 1}}},
    {PLAN_EXEC, {{1, 1}, {1, 1}, {0, 0}}},
};

int plan_check_counts(const struct plan *plan, enum plan_purpose purpose, struct error *err) {
    for (size_t i = 0; purpose != PLAN_OF_KEPT && i < sizeof counts / sizeof counts[0]; i++) {
        uint32_t found = 0;
        for (uint32_t n = 0; n < plan->count; n++) found += plan->ops[n].code == counts[i].code;
        if (!in(found, counts[i].times[purpose].min, counts[i].times[purpose].max)) {
            struct plan_op op = {.code = counts[i].code, .kind = plan_has_kind(counts[i].code)};
            return error_refuse(err, EINVAL, found ? "too many, or not allowed here" : "missing", "plan",
                                plan_step(&op), "operation");
        }
    }
    return 0;
}
