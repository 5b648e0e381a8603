/* AppArmor profile and SELinux label of a process. */
#pragma once
#include <sys/types.h>

#include "base/error.h"
#include "build/builder.h"
#include "plan/plan.h"

/* In the host's mount namespace: a way to the attributes of this process and of its children that no container can bend. A descriptor in
 * *proc, -1 when the plan has neither. */
int lsm_open(const struct plan *plan, int *proc, struct error *err);

/* For the next execve. */
int lsm_apply(const struct plan *plan, int proc, struct error *err);

/* For this process, which runs no other program; it has one thread, and may still gain privileges. */
int lsm_become(const struct plan *plan, int proc, struct error *err);

/* That process is under them now. */
int lsm_verify(const struct plan *plan, int proc, pid_t pid, struct error *err);
