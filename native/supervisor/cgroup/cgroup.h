/* Control groups of a container, version 1, 2 and both at once: their directories, their limits, the way into them. */
#pragma once
#include <sys/types.h>

#include "base/error.h"
#include "plan/plan.h"

/* Makes the directories of a plan and writes its limits; what it made is removed again on failure. */
int cgroup_make(const struct plan *plan, struct error *err);

/* In a child: moves itself into the container's v1 directories; clone3 puts it into the v2 one. */
int cgroup_join_v1(const struct plan *plan, struct error *err);

/* Moves a process of one thread into the plan's directories. */
int cgroup_move(const struct plan *plan, pid_t pid, struct error *err);

/* The v2 directory for CLONE_INTO_CGROUP: a descriptor, or -1 when there is none (errno 0) or it cannot be opened. */
int cgroup_open_v2(const struct plan *plan);

/* The same where that process is now. A container that manages cgroups of its own has moved below its directory, and the kernel then lets
 * no process into that (EBUSY; cgroups(7), "no internal processes"). */
int cgroup_open_v2_of(const struct plan *plan, int pidfd);

/* Carries out the CGROUP_WRITE operations of `ops` (an update of resources): all or none are validated first; on a failed write the
 * earlier ones are put back. */
int cgroup_update(const struct wire_bytes *ops, struct error *err);
