#include "cgroup/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/error.h"
#include "base/unshared.h"
#include "base/kernel.h"
#include "cgroup/devices.h"
#include "cgroup/end.h"

#define PATH_SIZE 4096

/* openat, because musl's open spends a second system call on O_CLOEXEC. */
static int open_file(const char *path, int flags) { return openat(AT_FDCWD, path, flags | O_CLOEXEC); }

static ssize_t read_file(const char *path, char *out, size_t size) {
    int fd = open_file(path, O_RDONLY);
    if (fd < 0) return -1;
    ssize_t n = read(fd, out, size - 1);
    int error = errno;
    close(fd);
    errno = error;
    out[n > 0 ? n : 0] = 0;
    return n;
}

static int write_open(int fd, const char *value) {
    size_t len = strlen(value);
    ssize_t n = pwrite(fd, value, len, 0);
    if (n == (ssize_t)len) return 0;
    if (n >= 0) errno = EIO;
    return -1;
}

static int write_file(const char *path, const char *value) {
    int fd = open_file(path, O_WRONLY);
    if (fd < 0) return -1;
    int result = write_open(fd, value), error = errno;
    close(fd);
    errno = error;
    return result;
}

static bool is_cgroup(const char *path, uint8_t version) {
    struct statfs fs;
    return statfs(path, &fs) == 0 &&
           fs.f_type == (version == PLAN_CGROUP_VERSION_V2 ? K_CGROUP2_SUPER_MAGIC : K_CGROUP_SUPER_MAGIC);
}

static bool is_blank(const char *value) { return value[0] == '\n' || value[0] == 0; }

/* A new v1 cpuset has no cpus and no memory nodes, and refuses every task until it has. Whoever made an ancestor may have left it so. */
static int inherit_cpuset(char *path, bool fresh) {
    static const char *const files[] = {"/cpuset.cpus", "/cpuset.mems"};
    char value[1024], own[PATH_SIZE + 16], parent[PATH_SIZE + 16];
    char *slash = strrchr(path, '/');
    for (int i = 0; slash && i < 2; i++) {
        snprintf(own, sizeof own, "%s%s", path, files[i]);
        snprintf(parent, sizeof parent, "%.*s%s", (int)(slash - path), path, files[i]);
        if (!fresh) {
            if (read_file(own, value, sizeof value) < 0) return -1;
            if (!is_blank(value)) continue;
        }
        if (read_file(parent, value, sizeof value) < 0) return -1;
        if (is_blank(value)) {
            *slash = 0;
            int filled = inherit_cpuset(path, false);
            *slash = '/';
            if (filled < 0 || read_file(parent, value, sizeof value) < 0) return -1;
        }
        if (write_file(own, value) < 0) return -1;
    }
    return 0;
}

/* mkdir -p below the hierarchy; one pass up to what exists, one pass down. */
static int make_path(char *path, uint8_t version) {
    size_t len = strlen(path), at = len;
    bool fresh;
    for (;;) {
        if ((fresh = mkdir(path, 0755) == 0) || errno == EEXIST) break;
        if (errno != ENOENT) return -1;
        while (at > 0 && path[at] != '/') at--;
        if (at == 0) return -1;
        path[at] = 0;
    }
    for (;;) {
        if (!is_cgroup(path, version)) {
            rmdir(path);
            errno = ENOTSUP;
            return -1;
        }
        if (version == PLAN_CGROUP_VERSION_V1_CPUSET && inherit_cpuset(path, fresh) < 0) return -1;
        size_t end = strlen(path);
        if (end == len) return 0;
        path[end] = '/';
        fresh = mkdir(path, 0755) == 0;
        if (!fresh && errno != EEXIST) return -1;
    }
}

static bool has_word(const char *list, const char *word, size_t len) {
    for (const char *at = list; (at = strstr(at, word)); at += len)
        if ((at == list || at[-1] == ' ') && strchr(" \n", at[len])) return true;
    return false;
}

/* Makes every ancestor pass on those of `wanted` that `path` lacks, the uppermost first. What an ancestor refuses (cgroups(7): EBUSY
 * while it has processes of its own, EINVAL or EOPNOTSUPP for a threaded subtree) is left: a limit that needs it then fails. */
static void enable_controllers(const char *path, const char *wanted) {
    char file[PATH_SIZE + 32], parent[PATH_SIZE], available[256], missing[256] = "", word[32];
    const char *slash = strrchr(path, '/');
    snprintf(file, sizeof file, "%s/cgroup.controllers", path);
    if (!slash || read_file(file, available, sizeof available) < 0) return;
    for (const char *p = wanted; *p; p += strspn(p, " ")) {
        size_t len = strcspn(p, " "), used = strlen(missing);
        snprintf(word, sizeof word, "%.*s", (int)len, p);
        if (!has_word(available, word, strlen(word)))
            snprintf(missing + used, sizeof missing - used, "%s%s", used ? " " : "", word);
        p += len;
    }
    snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
    if (!missing[0] || !is_cgroup(parent, PLAN_CGROUP_VERSION_V2)) return;
    enable_controllers(parent, missing);
    snprintf(file, sizeof file, "%s/cgroup.subtree_control", parent);
    for (const char *p = missing; *p; p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        snprintf(word, sizeof word, "+%.*s", (int)len, p);
        (void)!write_file(file, word); /* one by one: a write of several fails as a whole */
        p += len;
    }
}

/* Below a threaded cgroup no process can be put: the kernel would say so with a bare EOPNOTSUPP. */
static int check_domain(const char *path, struct error *err) {
    char file[PATH_SIZE + 32], type[32];
    snprintf(file, sizeof file, "%s/cgroup.type", path);
    if (read_file(file, type, sizeof type) < 0 || strncmp(type, "domain", 6) != 0 || strstr(type, "invalid"))
        return error_refuse(err, EOPNOTSUPP, "below a threaded cgroup", "cgroup-dir", path, "cgroup");
    return 0;
}

static int make_dir(const struct plan_op *op, struct error *err) {
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s", op->cgroup_dir.path);
    for (size_t len = strlen(path); len > 1 && path[len - 1] == '/'; len--) path[len - 1] = 0;
    bool scope = op->cgroup_dir.role == PLAN_CGROUP_ROLE_SCOPE;
    if (scope && !is_cgroup(path, op->cgroup_dir.version))
        return error_refuse(err, ENOENT, "no such scope, systemd has removed it", "cgroup-dir", path, "cgroup");
    if (scope || make_path(path, op->cgroup_dir.version) == 0) {
        if (op->cgroup_dir.controllers) enable_controllers(path, op->cgroup_dir.controllers);
        return op->cgroup_dir.version == PLAN_CGROUP_VERSION_V2 ? check_domain(path, err) : 0;
    }
    if (errno == ENOTSUP)
        return error_refuse(err, ENOTSUP, "not a cgroup hierarchy of this version", "cgroup-dir", op->cgroup_dir.path,
                            "cgroup");
    return error_fail(err, errno, "cgroup-dir", op->cgroup_dir.path, "cgroup");
}

/* Optional: the kernel has no such file. */
static bool may_fail(const struct plan_op *op, int error) { return op->cgroup_write.optional && error == ENOENT; }

/* The file of the last write: rules for devices are many writes to one file. */
struct last_file {
    const char *path;
    int fd;
};

static int write_limit(const struct plan_op *op, struct last_file *last, struct error *err) {
    if (!last->path || strcmp(last->path, op->cgroup_write.path) != 0) {
        if (last->fd >= 0) close(last->fd);
        *last = (struct last_file){op->cgroup_write.path, open_file(op->cgroup_write.path, O_WRONLY)};
        if (last->fd < 0) last->path = NULL;
    }
    if (last->fd >= 0 && write_open(last->fd, op->cgroup_write.value) == 0) return 0;
    if (may_fail(op, errno)) return 0;
    char role[160];
    snprintf(role, sizeof role, "cgroup limit %s", op->cgroup_write.value);
    if (errno == ENOENT)
        return error_refuse(err, ENOENT, "no such limit here, or its controller is not passed on by the parent",
                            "cgroup-write", op->cgroup_write.path, role);
    return error_fail(err, errno, "cgroup-write", op->cgroup_write.path, role);
}

int cgroup_make(const struct plan *plan, struct error *err) {
    struct last_file last = {.fd = -1};
    int done = 0;
    for (uint32_t i = 0; i < plan->count && done == 0; i++) {
        const struct plan_op *op = &plan->ops[i];
        if (op->code == PLAN_CGROUP_DIR)
            done = make_dir(op, err);
        else if (op->code == PLAN_CGROUP_WRITE)
            done = write_limit(op, &last, err);
        else if (op->code == PLAN_CGROUP_DEVICES)
            done = cgroup_guard_devices(op, err);
    }
    if (last.fd >= 0) close(last.fd);
    if (done < 0) cgroup_unmake(plan);
    return done;
}

static bool is_own(const struct plan_op *op, bool v2) {
    return plan_is_own_cgroup(op) && (op->cgroup_dir.version == PLAN_CGROUP_VERSION_V2) == v2;
}

/* Moves `pid`, or whoever calls with "0". A thread that is moved by the "tasks" of v1 is spared the global lock that cgroup.procs takes, whose
 * first taker after a pause waits for an RCU grace period (some 10 ms). A child that has just been cloned is one thread. */
static int join(const struct plan *plan, bool v2, const char *pid, struct error *err) {
    char path[PATH_SIZE + 16];
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct plan_op *op = &plan->ops[i];
        if (!is_own(op, v2)) continue;
        snprintf(path, sizeof path, "%s/%s", op->cgroup_dir.path, v2 ? "cgroup.procs" : "tasks");
        if (write_file(path, pid) < 0) return error_fail(err, errno, "cgroup-dir", path, "joining the cgroup");
    }
    return 0;
}

int cgroup_join_v1(const struct plan *plan, struct error *err) { return join(plan, false, "0", err); }

int cgroup_move(const struct plan *plan, pid_t pid, struct error *err) {
    char text[16];
    snprintf(text, sizeof text, "%d", pid);
    return join(plan, false, text, err) < 0 ? -1 : join(plan, true, text, err);
}

int cgroup_open_v2(const struct plan *plan) {
    for (uint32_t i = 0; i < plan->count; i++)
        if (is_own(&plan->ops[i], true)) return open_file(plan->ops[i].cgroup_dir.path, O_PATH | O_DIRECTORY);
    errno = 0;
    return -1;
}

int cgroup_open_v2_of(const struct plan *plan, int pidfd) {
    char path[PATH_SIZE + 32], text[PATH_SIZE];
    const struct plan_op *own = NULL;
    for (uint32_t i = 0; i < plan->count; i++)
        if (is_own(&plan->ops[i], true)) own = &plan->ops[i];
    const char *name = own ? strrchr(own->cgroup_dir.path, '/') : NULL;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    if (!name || read_file(path, text, sizeof text) < 0) return -1;
    const char *pid = strstr(text, "\nPid:");
    snprintf(path, sizeof path, "/proc/%d/cgroup", pid ? atoi(pid + 5) : 0);
    if (read_file(path, text, sizeof text) < 0) return -1;
    /* "0::/kubepods/pod1/ID/init": what follows the container's own name is below its directory. */
    const char *line = strstr(text, "0::/"), *below = line ? strstr(line, name) : NULL;
    if (!below || strchr("/\n", below[strlen(name)]) == NULL) {
        errno = ENOENT;
        return -1;
    }
    below += strlen(name);
    snprintf(path, sizeof path, "%s%.*s", own->cgroup_dir.path, (int)strcspn(below, "\n"), below);
    return open_file(path, O_PATH | O_DIRECTORY);
}

#define UPDATE_MAX 64 /* plan/plan_check.c allows no more writes in an update */
#define VALUE_MAX 4096

/* Files of several lines take one at a time. */
static void restore(const char *path, char *value) {
    char *rest = NULL;
    for (char *line = strtok_r(value, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) write_file(path, line);
}

int cgroup_update(const struct wire_bytes *ops, struct error *err) {
    struct plan plan;
    static char before[UPDATE_MAX][VALUE_MAX] UNSHARED;
    static bool written[UPDATE_MAX];
    if (plan_decode(ops, PLAN_OF_UPDATE, &plan, err) < 0) return -1;
    UNSHARE_ARRAY(before);
    uint32_t i;
    for (i = 0; i < plan.count; i++) {
        const struct plan_op *op = &plan.ops[i];
        ssize_t len = read_file(op->cgroup_write.path, before[i], VALUE_MAX);
        bool done = write_file(op->cgroup_write.path, op->cgroup_write.value) == 0;
        if (!done && !may_fail(op, errno)) break;
        written[i] = done && len > 0 && len < VALUE_MAX - 1; /* half a value is none */
    }
    bool all = i == plan.count;
    if (!all) {
        error_fail(err, errno, "cgroup-write", plan.ops[i].cgroup_write.path, plan.ops[i].cgroup_write.value);
        while (i-- > 0)
            if (written[i]) restore(plan.ops[i].cgroup_write.path, before[i]);
    }
    plan_free(&plan);
    return all ? 0 : -1;
}
