/* procfs of a PID namespace that the builder is not in: it is joined last (CVE-2016-9962), its procfs is needed before. */
#pragma once
#include "plan/plan.h"

/* pid_ns < 0: the caller's own. A detached mount, or -1 with errno. */
int proc_mount_for(int pid_ns, const struct plan_strings *options, unsigned flags);
