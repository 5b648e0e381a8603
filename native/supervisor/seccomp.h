/* The seccomp filter of a process: the last thing that is set, or, without no_new_privs, the last thing CAP_SYS_ADMIN is used for. */
#pragma once
#include "plan.h"

/* SECCOMP_FILTER_FLAG_TSYNC, _LOG and _SPEC_ALLOW: none of them hands out a descriptor or changes what the filter decides. */
#define SECCOMP_FLAGS 0x7u

int seccomp_load(const struct plan_op *op, struct build_error *err);
