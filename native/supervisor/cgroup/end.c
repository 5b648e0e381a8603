#include "cgroup/end.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/kernel.h"
#include "cgroup/report.h"

#define DEPTH_MAX 256 /* of cgroups that a container made below its own: two descriptors each */
#define KILL_PASSES 64

static bool write_at(int dir, const char *name, const char *value) {
    int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool done = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
    close(fd);
    return done;
}

static int open_dir(int dir, const char *name) {
    return openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Sends SIGKILL to every process listed in `dir`; how many there were. */
static unsigned kill_listed(int dir) {
    char text[4096];
    unsigned found = 0;
    int pid = 0, fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    for (ssize_t n; (n = read(fd, text, sizeof text)) > 0;)
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + text[i] - '0';
                continue;
            }
            if (pid > 1) { /* 0 is a process of another PID namespace */
                found++;
                kill(pid, SIGKILL);
            }
            pid = 0;
        }
    close(fd);
    return found;
}

/* Calls `each` for `dir` after its descendants. */
static unsigned descend(int dir, int depth, unsigned (*each)(int parent, const char *name)) {
    unsigned total = 0;
    int copy = depth < DEPTH_MAX ? open_dir(dir, ".") : -1;
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    if (!list && copy >= 0) close(copy);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        int child = open_dir(dir, entry->d_name);
        if (child < 0) continue;
        total += descend(child, depth + 1, each);
        close(child);
        total += each(dir, entry->d_name);
    }
    if (list) closedir(list);
    return total;
}

static unsigned kill_child(int parent, const char *name) {
    int dir = open_dir(parent, name);
    unsigned found = dir < 0 ? 0 : kill_listed(dir);
    if (dir >= 0) close(dir);
    return found;
}

/* v1 freezes a cgroup and those below it each for itself: all of them have to thaw. */
static unsigned thaw_child(int parent, const char *name) {
    int dir = open_dir(parent, name);
    if (dir >= 0) {
        write_at(dir, "freezer.state", "THAWED");
        close(dir);
    }
    return 0;
}

static void thaw_v1(int dir) {
    write_at(dir, "freezer.state", "THAWED");
    descend(dir, 0, thaw_child);
}

static unsigned remove_child(int parent, const char *name) { return unlinkat(parent, name, AT_REMOVEDIR) < 0; }

/* v1 has no cgroup.kill. A frozen cgroup cannot fork faster than it is killed, and its pids cannot be reused between the reading and
 * the signal; a killed process dies when it thaws. */
static void kill_v1(int dir, bool freezer) {
    if (freezer) write_at(dir, "freezer.state", "FROZEN");
    unsigned before = 0;
    for (int pass = 0; pass < KILL_PASSES; pass++) {
        unsigned found = kill_listed(dir) + descend(dir, 0, kill_child);
        if (found == 0 || (freezer && found == before)) break;
        before = found;
    }
    if (freezer) thaw_v1(dir);
}

static bool is_freezer(int dir) { return faccessat(dir, "freezer.state", W_OK, 0) == 0; }

/* Calls `each` with every cgroup of the container's own that is there. What it does not close it has kept. */
static void each_own(const struct wire_bytes *bytes, void (*each)(int dir, bool v2, void *context), void *context) {
    struct plan plan;
    struct error err;
    if (plan_decode(bytes, PLAN_OF_KEPT, &plan, &err) < 0) return;
    for (uint32_t i = 0; i < plan.count; i++) {
        const struct plan_op *op = &plan.ops[i];
        int dir = plan_is_own_cgroup(op) ? open_dir(AT_FDCWD, op->cgroup_dir.path) : -1;
        if (dir >= 0) each(dir, op->cgroup_dir.version == PLAN_CGROUP_VERSION_V2, context);
    }
    plan_free(&plan);
}

/* Version 2 kills by itself since Linux 5.14. Of the hierarchies of version 1, where it is one process list after all, the freezer is taken. */
static void kill_or_keep(int dir, bool v2, void *context) {
    int *v1 = context;
    if (v2) {
        if (!write_at(dir, "cgroup.kill", "1")) kill_v1(dir, false);
    } else if (*v1 < 0 || (!is_freezer(*v1) && is_freezer(dir))) {
        int unused = *v1;
        *v1 = dir;
        dir = unused;
    }
    if (dir >= 0) close(dir);
}

void cgroup_kill(const struct wire_bytes *bytes) {
    int v1 = -1;
    each_own(bytes, kill_or_keep, &v1);
    /* Hybrid hosts: the v2 kill reaches everything that is in the v2 directory, the v1 list what is not. */
    if (v1 < 0) return;
    kill_v1(v1, is_freezer(v1));
    close(v1);
}

static void thaw(int dir, bool v2, void *context) {
    (void)context;
    if (v2)
        write_at(dir, "cgroup.freeze", "0");
    else if (is_freezer(dir))
        thaw_v1(dir);
    close(dir);
}

void cgroup_thaw(const struct wire_bytes *bytes) { each_own(bytes, thaw, NULL); }

static int remove_leaf(const char *path) {
    if (rmdir(path) == 0 || errno == ENOENT) return 0;
    int dir = open_dir(AT_FDCWD, path);
    if (dir >= 0) {
        descend(dir, 0, remove_child);
        close(dir);
    }
    return rmdir(path) == 0 || errno == ENOENT ? 0 : -1;
}

int cgroup_unmake(const struct plan *plan) {
    int result = 0;
    for (uint32_t i = plan->count; i-- > 0;) {
        const struct plan_op *op = &plan->ops[i];
        if (!plan_is_own_cgroup(op)) continue;
        /* systemd looks at an empty scope itself: one that vanished under it would stay in its books. */
        bool scope = op->cgroup_dir.role == PLAN_CGROUP_ROLE_SCOPE;
        if (scope ? cgroup_is_populated(op->cgroup_dir.path) : remove_leaf(op->cgroup_dir.path) < 0) result = -1;
    }
    return result;
}

int cgroup_remove(const struct wire_bytes *bytes) {
    struct plan plan;
    struct error err;
    if (plan_decode(bytes, PLAN_OF_KEPT, &plan, &err) < 0) return -1;
    int result = cgroup_unmake(&plan);
    plan_free(&plan);
    return result;
}
