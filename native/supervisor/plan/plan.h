/* Decoding a plan (proto/supervisor.md, "Plans"; src/oci/plan.ts says what each operation means). A decoded plan is one block of memory
 * that the supervisor makes before it forks, so that the child reads it without a page fault and without an allocation. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/wire.h"

enum plan_code {
    PLAN_CGROUP_DIR = 10,
    PLAN_CGROUP_WRITE = 20,
    PLAN_CGROUP_DEVICES = 21,
    PLAN_OOM_SCORE_ADJ = 30,
    PLAN_NAMESPACES = 40,
    PLAN_RLIMIT = 50,
    PLAN_RUNTIME = 55,
    PLAN_ROOTFS = 60,
    PLAN_MOUNT = 70,
    PLAN_DEVICE = 80,
    PLAN_MASK = 90,
    PLAN_READONLY = 100,
    PLAN_TERMINAL = 110,
    PLAN_CWD = 120,
    PLAN_APPARMOR = 130,
    PLAN_SELINUX = 140,
    PLAN_CREDENTIALS = 150,
    PLAN_SECCOMP = 160,
    PLAN_RUNTIME_PROCESS = 165,
    PLAN_EXEC = 170,
};

enum plan_cgroup_version { PLAN_CGROUP_V1 = 1, PLAN_CGROUP_V1_CPUSET, PLAN_CGROUP_V2 };
enum plan_cgroup_role { PLAN_CGROUP_LEAF = 1, PLAN_CGROUP_PARENT, PLAN_CGROUP_SCOPE };
enum plan_pid_mode { PLAN_PID_CONTAINER = 1, PLAN_PID_POD, PLAN_PID_TARGET, PLAN_PID_NODE };
enum plan_mount_kind { PLAN_KIND_MOUNT = 1, PLAN_KIND_BIND, PLAN_KIND_IMAGE };
enum plan_device_kind { PLAN_KIND_NODE = 1, PLAN_KIND_SYMLINK };
enum plan_propagation { PLAN_PRIVATE = 1, PLAN_SLAVE, PLAN_SHARED };

/* SECCOMP_FILTER_FLAG_TSYNC, _LOG and _SPEC_ALLOW: none of them hands out a descriptor or changes what the filter decides. */
#define PLAN_SECCOMP_FLAGS 0x7u

/* Several strings: NULL-terminated, as execve wants them. */
struct plan_strings {
    const char **at;
    uint32_t count;
};

struct plan_credentials {
    uint32_t uid, gid, umask;
    uint8_t no_new_privileges;
    struct wire_bytes groups; /* u32 each, little-endian */
    uint64_t bounding, effective, permitted, inheritable, ambient;
};

struct plan_op {
    uint16_t code;
    uint8_t kind; /* of a mount or device operation */
    int fd;       /* of a mount operation: the detached mount, once there is one */
    union {
        struct {
            const char *path, *controllers;
            uint8_t version, role;
        } cgroup_dir;
        struct {
            const char *path, *value;
            uint8_t optional;
        } cgroup_write;
        struct {
            const char *path;
            struct wire_bytes program;
        } cgroup_devices;
        struct {
            int32_t value;
        } oom;
        struct {
            const char *target;
            uint8_t pid, host_cgroup;
        } namespaces;
        struct {
            uint64_t soft, hard;
            uint32_t resource;
        } rlimit;
        struct {
            struct plan_strings lower;
            const char *upper, *work;
            const char *base;  /* with a user namespace: the directory that layers and upper are in; else NULL */
            const char *label; /* SELinux label of everything in it, or NULL */
            uint8_t readonly, propagation;
        } rootfs;
        struct {
            const char *type, *destination;
            struct plan_strings options;
            uint32_t flags;
        } mount;
        struct {
            const char *source, *destination;
            const char *label; /* SELinux label that the source is given, or NULL */
            uint32_t flags;
            uint8_t recursive_readonly, propagation, idmap;
        } bind;
        struct {
            struct plan_strings lower;
            const char *destination, *sub_path; /* NULL: all of it */
            const char *label;                  /* SELinux label of everything in it, or NULL */
            uint32_t flags;
        } image;
        struct {
            const char *destination;
            uint32_t major, minor, mode, uid, gid;
            uint8_t type;
        } device;
        struct {
            const char *destination, *target;
        } symlink;
        struct {
            const char *destination;
        } path; /* mask, readonly, cwd */
        struct {
            uint16_t width, height;
        } terminal;
        struct {
            const char *value;
        } label; /* apparmor, selinux */
        struct plan_credentials credentials;
        struct {
            const char *path, *bundle, *root;
            const char *hidden; /* a mount of the host that the runtime shall not see, or NULL */
            uint8_t systemd;    /* it has systemd make the cgroup */
        } runtime;
        struct {
            struct wire_bytes json;
        } runtime_process;
        struct {
            struct wire_bytes filter;
            uint32_t flags;
        } seccomp;
        struct {
            struct plan_strings argv, env;
        } exec;
    };
};

/* PLAN_OF_BUNDLE, PLAN_OF_RUNTIME_PROCESS: of a container that an external runtime makes, and of a further process in one.
 * PLAN_OF_KEPT: what the supervisor remembers of a live container (plan/kept_plan.h), checked in full when it was made. */
enum plan_purpose {
    PLAN_OF_CONTAINER,
    PLAN_OF_PROCESS,
    PLAN_OF_UPDATE,
    PLAN_OF_BUNDLE,
    PLAN_OF_RUNTIME_PROCESS,
    PLAN_OF_KEPT
};

struct plan {
    struct plan_op *ops;
    uint32_t count;
    void *block; /* what plan_free frees */
    size_t size; /* of it */
};

/* Checks and decodes every operation: known, in order, complete, well-formed. 0, or -1 with *err and nothing to free. */
int plan_decode(const struct wire_bytes *bytes, enum plan_purpose purpose, struct plan *out, struct error *err);
void plan_free(struct plan *plan);
/* Gives back the memory that plans were decoded in. */
void plan_idle(void);

/* True when an operation with this code is in a plan that has not been decoded. */
bool plan_has(const struct wire_bytes *bytes, uint16_t code);

/* The first operation with this code, or NULL. */
struct plan_op *plan_find(const struct plan *plan, uint16_t code);

/* True for a directory that the container is in. */
static inline bool plan_is_own_cgroup(const struct plan_op *op) {
    return op->code == PLAN_CGROUP_DIR && op->cgroup_dir.role != PLAN_CGROUP_PARENT;
}

/* "mount", "cgroup-write", …: the `step` of an error. */
const char *plan_step(const struct plan_op *op);
