#include "cgroup/report.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/kernel.h"
#include "plan/plan.h"

#define PATH_SIZE 4096

/* The number after `key` in a flat keyed file. */
static bool read_key(const char *path, const char *key, uint64_t *out) {
    char text[4096];
    int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    size_t len = strlen(key);
    for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, len) == 0 && line[len] == ' ') {
            *out = strtoull(line + len + 1, NULL, 10);
            return true;
        }
    return false;
}

bool cgroup_is_populated(const char *directory) {
    char path[PATH_SIZE + 32];
    uint64_t populated = 0;
    snprintf(path, sizeof path, "%s/cgroup.events", directory);
    return read_key(path, "populated", &populated) && populated;
}

/* What v1 has for no limit is as good as none: more than any machine holds. */
#define UNLIMITED (1ull << 62)

static uint64_t read_limit(const char *directory, bool v2) {
    char path[PATH_SIZE + 32], text[32];
    snprintf(path, sizeof path, "%s/%s", directory, v2 ? "memory.max" : "memory.limit_in_bytes");
    int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    text[n > 0 ? n : 0] = 0;
    uint64_t limit = strtoull(text, NULL, 10); /* "max" is 0 */
    return limit < UNLIMITED ? limit : 0;
}

static bool read_kills(const struct plan_op *op, struct cgroup_report *out) {
    const char *directory = op->cgroup_dir.path, *slash = strrchr(directory, '/');
    bool v2 = op->cgroup_dir.version == PLAN_CGROUP_VERSION_V2;
    char path[PATH_SIZE + 32];
    if (op->cgroup_dir.role == PLAN_CGROUP_ROLE_SCOPE && slash) {
        out->scope = true;
        snprintf(path, sizeof path, "%.*s/memory.events", (int)(slash - directory), directory);
        read_key(path, "oom_kill", &out->parent_kills);
    }
    out->limit = read_limit(directory, v2);
    snprintf(path, sizeof path, "%s/%s", directory, v2 ? "memory.events" : "memory.oom_control");
    return read_key(path, "oom_kill", &out->oom_kills);
}

void cgroup_report_read(const struct wire_bytes *bytes, struct cgroup_report *out) {
    struct plan plan;
    struct error err;
    *out = (struct cgroup_report){0};
    if (plan_decode(bytes, PLAN_OF_KEPT, &plan, &err) < 0) return;
    for (uint32_t i = 0; i < plan.count && !out->own; i++)
        if (plan_is_own_cgroup(&plan.ops[i])) out->own = read_kills(&plan.ops[i], out);
    plan_free(&plan);
}
