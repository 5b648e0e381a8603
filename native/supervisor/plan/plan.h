/* Decoding a plan (proto/plan.json, proto/supervisor.md). A decoded plan is one block of memory
 * that the supervisor makes before it forks, so that the child reads it without a page fault and without an allocation. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/wire.h"

/* Several strings: NULL-terminated, as execve wants them. */
struct plan_strings {
    const char **at;
    uint32_t count;
};

#include <gen/plan_ops.h>

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
    return op->code == PLAN_CGROUP_DIR && op->cgroup_dir.role != PLAN_CGROUP_ROLE_PARENT;
}

/* A file of procfs that a container may be shown another version of. */
bool plan_mountable_proc(const char *path);

/* "mount", "cgroup-write", …: the `step` of an error. */
const char *plan_step(const struct plan_op *op);
