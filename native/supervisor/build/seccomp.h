/* The seccomp filter of a process: the last thing that is set, or, without no_new_privs, the last thing CAP_SYS_ADMIN is used for. */
#pragma once
#include "plan/plan.h"

int seccomp_load(const struct plan_op *op, struct error *err);
