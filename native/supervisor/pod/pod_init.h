/* The first process of a PID namespace that a pod's containers share. */
#pragma once
#include <sys/types.h>

#include "base/error.h"
#include "build/env.h"
#include "plan/plan.h"

/* It owns nothing and can do nothing: an identity of its own without capabilities, an empty file tree, no descriptor but one pipe,
 * a filter that lets it wait and end. Containers with CAP_SYS_PTRACE see it as pid 1 and may drive it: /proc/1/root must not be the host, and
 * what it takes is the pod's. `plan` (PLAN_OF_POD_INIT) says which cgroup and label; what it has made is taken back on failure. The init ends
 * when `lifeline` is closed. */
pid_t pod_init_start(const struct build_env *env, const struct plan *plan, int *lifeline, int *pidns,
                     struct error *err);
