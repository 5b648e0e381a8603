/* Control groups of a container, version 1, 2 and both at once. The questions the supervisor asks are in build.h. */
#pragma once
#include "plan.h"

/* Makes the directories of a plan and writes its limits; what it made is removed again on failure. */
int cgroup_make(const struct plan *plan, struct build_error *err);

/* In a child: moves itself into the container's v1 directories; clone3 puts it into the v2 one. */
int cgroup_join_v1(const struct plan *plan, struct build_error *err);

/* The v2 directory for CLONE_INTO_CGROUP: a descriptor, or -1 when there is none (errno 0) or it cannot be opened. */
int cgroup_open_v2(const struct plan *plan);

/* The same where that process is now. A container that manages cgroups of its own has moved below its directory, and the kernel then lets
 * no process into that (EBUSY; cgroups(7), "no internal processes"). */
int cgroup_open_v2_of(const struct plan *plan, int pidfd);

int cgroup_remove(const struct plan *plan);

/* False also when there is no such directory. */
bool cgroup_is_populated(const char *directory);

/* Attaches a device program to a v2 directory. */
int cgroup_guard_devices(const struct plan_op *op, struct build_error *err);
