/* The supervisor's own look at a process before it is released: what /proc/<pid>/status says has to be what the plan says. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "build/env.h"
#include "wire/wire.h"

/* True when /proc/<pid>/status shows exactly the ids, groups, capability sets, no_new_privs and seccomp mode of the plan, of which only
 * the credentials are looked at; `filtered`: it has a seccomp operation. Called after READY and before GO: a process that differs in
 * anything is never released. */
bool process_verify(const struct wire_bytes *plan, const struct build_env *env, bool filtered, pid_t pid,
                    struct error *err);
