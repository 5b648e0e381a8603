/* The end of a container's cgroups: everything in them dies, then they go. */
#pragma once
#include "plan/plan.h"

/* SIGKILLs everything in the container's cgroup (v2 cgroup.kill; v1 every pid of cgroup.procs until none is left, bounded). */
void cgroup_kill(const struct wire_bytes *plan);

/* Lets a container that somebody has frozen run again. */
void cgroup_thaw(const struct wire_bytes *plan);

/* Removes the container's cgroup directories; 0 when they are gone, -1 while the kernel still holds one (EBUSY). A scope is systemd's to
 * remove: 0 as soon as nothing is in it. */
int cgroup_remove(const struct wire_bytes *plan);

/* The same of a plan that is still decoded: takes back what cgroup_make has made. */
int cgroup_unmake(const struct plan *plan);
