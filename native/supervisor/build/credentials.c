#include "build/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/kernel.h"
#include "base/privileges.h"
#include "build/seccomp.h"

#define CAP_SETPCAP 8
#define CAP_SYS_ADMIN 21
#define CAPABILITY_VERSION_3 0x20080522u

struct cap_header {
    uint32_t version;
    int pid;
};

struct cap_data {
    uint32_t effective, permitted, inheritable;
};

static uint64_t available, known;
static int probed;

void credentials_probe(void) {
    if (probed) return;
    for (int cap = 0; cap < 64; cap++) {
        int held = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
        if (held < 0) break;
        available |= (uint64_t)held << cap;
        known |= 1ull << cap;
    }
    probed = 1;
}

void credentials_probe_again(void) {
    probed = 0;
    credentials_probe();
}

uint64_t credentials_known(uint64_t wanted) {
    credentials_probe();
    return wanted & known;
}

uint64_t credentials_available(uint64_t wanted) {
    credentials_probe();
    return wanted & available;
}

static int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
    struct cap_header header = {CAPABILITY_VERSION_3, 0};
    struct cap_data data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
    };
    return (int)syscall(SYS_capset, &header, data);
}

void credentials_keep_only(uint64_t capabilities) { set_capabilities(capabilities, capabilities, 0); }

int credentials_raise_all(void) {
    struct cap_header header = {CAPABILITY_VERSION_3, 0};
    struct cap_data data[2];
    if (syscall(SYS_capget, &header, data) < 0) return -1;
    for (int i = 0; i < 2; i++) data[i].effective = data[i].permitted;
    return (int)syscall(SYS_capset, &header, data);
}

static int drop_bounding(uint64_t keep) {
    for (int cap = 0; cap < 64; cap++)
        if ((available & ~keep) >> cap & 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) return -1;
    return 0;
}

/* Raw system calls: musl's wrappers would signal every thread of a process that has one. */
static int set_ids(const struct plan_credentials *c) {
    uint32_t groups[64], *list = groups, count = c->groups.len / 4;
    if (count > 64)
        list = (uint32_t *)(uintptr_t)c->groups.data; /* unaligned is fine for the kernel's copy_from_user */
    else
        for (uint32_t i = 0; i < count; i++) groups[i] = wire_load32(c->groups.data + 4 * (size_t)i);
    if (privileges_set_groups() && syscall(SYS_setgroups, (long)count, list) < 0) return -1;
    if (syscall(SYS_setresgid, c->gid, c->gid, c->gid) < 0) return -1;
    return (int)syscall(SYS_setresuid, c->uid, c->uid, c->uid);
}

static int set_ambient(uint64_t ambient) {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return -1;
    for (int cap = 0; cap < 64; cap++)
        if (ambient >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0) return -1;
    return 0;
}

/* CVE-2026-30892: whatever went wrong before, a process with other ids than asked for is not let go. */
static bool ids_are(const struct plan_credentials *c) {
    uint32_t u[3], g[3];
    return syscall(SYS_getresuid, &u[0], &u[1], &u[2]) == 0 && syscall(SYS_getresgid, &g[0], &g[1], &g[2]) == 0 &&
           u[0] == c->uid && u[1] == c->uid && u[2] == c->uid && g[0] == c->gid && g[1] == c->gid && g[2] == c->gid;
}

int credentials_apply(const struct plan_credentials *c, const struct plan_op *seccomp, struct error *err) {
    uint64_t permitted = available & c->permitted, inheritable = available & c->inheritable;
    bool privileged_filter = seccomp && !c->no_new_privileges;
    bool keep = c->uid != 0 && (permitted != 0 || privileged_filter);
    if (drop_bounding(c->bounding) < 0) return error_fail(err, errno, "credentials", "bounding set", "capabilities");
    if (keep && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return error_fail(err, errno, "credentials", "keepcaps", "capabilities");
    if (set_ids(c) < 0) return error_fail(err, errno, "credentials", "user and groups", "identity");
    if (!ids_are(c))
        return error_refuse(err, EPERM, "the kernel set other ids", "credentials", "user and groups", "identity");
    /* A change of ids makes a process as dumpable as fs.suid_dumpable says. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return error_fail(err, errno, "credentials", "dumpable", "identity");
    umask((mode_t)c->umask);
    if (privileged_filter) {
        uint64_t needed = permitted | 1ull << CAP_SYS_ADMIN | 1ull << CAP_SETPCAP;
        if (set_capabilities(needed & available, needed & available, 0) < 0)
            return error_fail(err, errno, "credentials", "capabilities for the filter", "capabilities");
        if (seccomp_load(seccomp, err) < 0) return -1;
    }
    if (set_capabilities(permitted & c->effective, permitted, inheritable) < 0)
        return error_fail(err, errno, "credentials", "permitted, effective, inheritable", "capabilities");
    if (set_ambient(permitted & inheritable & c->ambient) < 0)
        return error_fail(err, errno, "credentials", "ambient set", "capabilities");
    if (c->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_fail(err, errno, "credentials", "no_new_privs", "identity");
    return 0;
}

int rlimits_apply(const struct plan *plan, pid_t pid, struct error *err) {
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct plan_op *op = &plan->ops[i];
        if (op->code != PLAN_RLIMIT) continue;
        struct rlimit now, wanted = {op->rlimit.soft, op->rlimit.hard};
        if (prlimit(pid, (int)op->rlimit.resource, &wanted, NULL) == 0) continue;
        /* Without CAP_SYS_RESOURCE nobody can raise a hard limit: the container gets the host's. */
        if (errno == EPERM && prlimit(pid, (int)op->rlimit.resource, NULL, &now) == 0) {
            wanted.rlim_max = wanted.rlim_max > now.rlim_max ? now.rlim_max : wanted.rlim_max;
            wanted.rlim_cur = wanted.rlim_cur > wanted.rlim_max ? wanted.rlim_max : wanted.rlim_cur;
            if (prlimit(pid, (int)op->rlimit.resource, &wanted, NULL) == 0) continue;
        }
        char which[16];
        snprintf(which, sizeof which, "%u", op->rlimit.resource);
        return error_fail(err, errno, "rlimit", which, "resource limit");
    }
    return 0;
}
