/* What the kernel has counted of a container's cgroup. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "wire/wire.h"

struct cgroup_report {
    uint64_t oom_kills;    /* v2 memory.events oom_kill; v1 memory.oom_control oom_kill */
    uint64_t parent_kills; /* the same of the parent, for a scope */
    uint64_t limit;        /* of memory in bytes; 0: none */
    bool own, scope;       /* the first could be read; systemd made the cgroup, and may have removed it */
};
void cgroup_report_read(const struct wire_bytes *plan, struct cgroup_report *out);

/* False also when there is no such directory. */
bool cgroup_is_populated(const char *directory);
