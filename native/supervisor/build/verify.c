#include "build/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/credentials.h"
#include "build/env.h"
#include "build/userns.h"
#include "plan/plan.h"

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

/* The kernel sorts the groups: each wanted one has to be there, and none besides. */
static bool groups_match(const char *status, const struct wire_bytes *wanted, const struct build_env *env) {
    const char *at = value_of(status, "Groups:");
    uint32_t listed = 0;
    while (at && *at && *at != '\n') {
        char *end;
        unsigned long gid = strtoul(at, &end, 10);
        if (end == at) {
            at++;
            continue;
        }
        bool known = false;
        for (uint32_t i = 0; i < wanted->len && !known; i += 4)
            known = userns_gid(env, wire_load32(wanted->data + i)) == gid;
        if (!known) return false;
        listed++;
        at = end;
    }
    return at && listed == wanted->len / 4;
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
    if (!groups_match(status, &c->groups, env)) return "Groups";
    if (!mask_matches(status, "CapInh:", inheritable)) return "CapInh";
    if (!mask_matches(status, "CapPrm:", permitted)) return "CapPrm";
    if (!mask_matches(status, "CapEff:", permitted & c->effective)) return "CapEff";
    if (!mask_matches(status, "CapBnd:", granted(c->bounding))) return "CapBnd";
    if (!mask_matches(status, "CapAmb:", permitted & inheritable & c->ambient)) return "CapAmb";
    if (!number_matches(status, "NoNewPrivs:", confined)) return "NoNewPrivs";
    return number_matches(status, "Seccomp:", filtered ? 2 : 0) ? NULL : "Seccomp";
}

bool build_verify(const struct wire_bytes *bytes, const struct build_env *env, bool filtered, pid_t pid,
                  struct error *err) {
    /* 65536 groups would not fit: then nothing is released. Aligned, so that small variables stay together (Makefile). */
    static char status[64 * 1024] __attribute__((aligned(4096)));
    char path[32];
    struct plan plan;
    if (plan_decode(bytes, PLAN_OF_KEPT, &plan, err) < 0) return false;
    const struct plan_op *identity = plan_find(&plan, PLAN_CREDENTIALS);
    if (plan_find(
            &plan,
            PLAN_RUNTIME)) { /* an external runtime answers for what it makes, and loads its filter at the last moment */
        plan_free(&plan);
        return true;
    }
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    ssize_t used = 0, n = -1;
    while (fd >= 0 && used < (ssize_t)sizeof status - 1 &&
           (n = read(fd, status + used, sizeof status - 1 - (size_t)used)) > 0)
        used += n;
    status[used] = 0;
    const char *wrong = NULL;
    if (fd < 0 || n < 0)
        error_fail(err, errno, "credentials", path, "check of the process");
    else if ((wrong = identity ? difference(status, &identity->credentials, env, filtered) : "plan"))
        error_refuse(err, EPERM, "not what the plan says", "credentials", wrong, "check of the process");
    bool good = fd >= 0 && n >= 0 && !wrong;
    if (fd >= 0) close(fd);
    plan_free(&plan);
    return good;
}
