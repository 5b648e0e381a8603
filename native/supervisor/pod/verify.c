#include "pod/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/error.h"
#include "base/privileges.h"
#include "base/kernel.h"
#include "build/credentials.h"
#include "build/env.h"
#include "build/userns.h"
#include "plan/plan.h"

#define STATUS_SIZE ((size_t)16 << 10) /* of a process without groups, on a machine of thousands of CPUs */
#define GROUP_SIZE 11u                 /* ten digits and a blank */

/* The value of `name` in a status text, or NULL. */
static const char *value_of(const char *status, const char *name) {
    const char *at = strstr(status, name);
    return at && (at == status || at[-1] == '\n') ? at + strlen(name) : NULL;
}

static bool ids_match(const char *status, const char *name, uint32_t id) {
    const char *at = value_of(status, name);
    for (int i = 0; i < 4; i++) {
        char *end;
        if (!at || strtoull(at, &end, 10) != id || end == at) return false;
        at = end;
    }
    return true;
}

static bool mask_matches(const char *status, const char *name, uint64_t mask) {
    const char *at = value_of(status, name);
    return at && strtoull(at, NULL, 16) == mask;
}

static bool number_matches(const char *status, const char *name, unsigned long number) {
    const char *at = value_of(status, name);
    return at && strtoul(at, NULL, 10) == number;
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The kernel sorts the groups: each wanted one has to be there, and none besides. */
static bool groups_match(const char *status, const struct wire_bytes *wanted, const struct build_env *env) {
    const char *at = value_of(status, "Groups:");
    uint32_t count = wanted->len / 4, *sorted = malloc(wanted->len + 1u);
    for (uint32_t i = 0; sorted && i < count; i++)
        sorted[i] = userns_gid(env, wire_load32(wanted->data + 4 * (size_t)i));
    if (sorted) qsort(sorted, count, sizeof *sorted, by_number);
    bool same = at && sorted;
    for (uint32_t i = 0; same && i < count; i++) {
        char *end;
        same = strtoull(at, &end, 10) == sorted[i] && end != at;
        at = end;
    }
    free(sorted);
    return same && at[strspn(at, "\t ")] == '\n';
}

/* procfs shows the host's ids. A user namespace grants every capability, each good for what belongs to it only. */
static const char *difference(const char *status, const struct plan_credentials *c, const struct build_env *env,
                              bool has_filter) {
    uint64_t (*granted)(uint64_t) = env->userns < 0 ? credentials_available : credentials_known;
    uint64_t permitted = granted(c->permitted), inheritable = granted(c->inheritable);
    bool filtered = has_filter || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2;
    bool confined = c->no_new_privileges || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    if (!ids_match(status, "Uid:", userns_uid(env, c->uid))) return "Uid";
    if (!ids_match(status, "Gid:", userns_gid(env, c->gid))) return "Gid";
    if (privileges_set_groups() && !groups_match(status, &c->groups, env)) return "Groups";
    if (!mask_matches(status, "CapInh:", inheritable)) return "CapInh";
    if (!mask_matches(status, "CapPrm:", permitted)) return "CapPrm";
    if (!mask_matches(status, "CapEff:", permitted & c->effective)) return "CapEff";
    if (!mask_matches(status, "CapBnd:", granted(c->bounding))) return "CapBnd";
    if (!mask_matches(status, "CapAmb:", permitted & inheritable & c->ambient)) return "CapAmb";
    if (!number_matches(status, "NoNewPrivs:", confined)) return "NoNewPrivs";
    return number_matches(status, "Seccomp:", filtered ? 2 : 0) ? NULL : "Seccomp";
}

/* The text of a status file, as far as it fits; NULL with *err. */
static char *read_status(pid_t pid, size_t size, struct error *err) {
    char path[32], *status = malloc(size);
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    int fd = status ? openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    size_t used = 0;
    ssize_t n = -1;
    while (fd >= 0 && used < size - 1 && (n = read(fd, status + used, size - 1 - used)) > 0) used += (size_t)n;
    if (n < 0) error_fail(err, errno, "credentials", path, "check of the process");
    if (fd >= 0) close(fd);
    if (n >= 0) {
        status[used] = 0;
        return status;
    }
    free(status);
    return NULL;
}

/* More groups than wanted may not fit, and then what comes after them is missing: nothing is released. */
static bool matches(const struct plan_credentials *c, const struct build_env *env, bool filtered, pid_t pid,
                    struct error *err) {
    char *status = read_status(pid, STATUS_SIZE + c->groups.len / 4 * GROUP_SIZE, err);
    if (!status) return false;
    const char *wrong = difference(status, c, env, filtered);
    if (wrong) error_refuse(err, EPERM, "not what the plan says", "credentials", wrong, "check of the process");
    free(status);
    return !wrong;
}

bool process_verify(const struct wire_bytes *bytes, const struct build_env *env, bool filtered, pid_t pid,
                    struct error *err) {
    struct plan plan;
    if (plan_decode(bytes, PLAN_OF_KEPT, &plan, err) < 0) return false;
    const struct plan_op *identity = plan_find(&plan, PLAN_CREDENTIALS);
    /* An external runtime answers for what it makes, and loads its filter at the last moment. */
    bool good = plan_find(&plan, PLAN_RUNTIME) != NULL;
    if (!good && identity) good = matches(&identity->credentials, env, filtered, pid, err);
    plan_free(&plan);
    return good;
}
