/* The identity of a process: one record and one function for a container's first process and every further one (CVE-2019-10144). */
#pragma once
#include <sys/types.h>

#include "plan/plan.h"

/* Asks the kernel once what this host grants; called before any child is made, so that no child has to ask. */
void credentials_probe(void);

/* In a user namespace that was just entered: it grants what it wants. */
void credentials_probe_again(void);

/* What the host grants of `wanted`: a capability outside the supervisor's bounding set cannot be given to anybody. */
uint64_t credentials_available(uint64_t wanted);

/* What a new user namespace grants of `wanted`: all that this kernel knows. */
uint64_t credentials_known(uint64_t wanted);

/* Makes every permitted capability effective again. */
int credentials_raise_all(void);

/* Sets everything of the record, and the seccomp filter (may be NULL) when it has to be loaded while CAP_SYS_ADMIN is still held,
 * that is without no_new_privs. Checks what the kernel made of it. */
int credentials_apply(const struct plan_credentials *c, const struct plan_op *seccomp, struct error *err);

/* Gives up every capability but these. */
void credentials_keep_only(uint64_t capabilities);

/* Limits of the process `pid` (0: this one); where the host grants less than asked, what it grants. */
int rlimits_apply(const struct plan *plan, pid_t pid, struct error *err);
