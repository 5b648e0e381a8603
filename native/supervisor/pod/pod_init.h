/* The first process of a PID namespace that a pod's containers share. */
#pragma once
#include <sys/types.h>

#include "base/error.h"
#include "build/env.h"

/* It owns nothing and can do nothing: an identity of its own without capabilities, an empty file tree, no descriptor but one socket,
 * a filter that lets it wait and end. Containers with CAP_SYS_PTRACE see it as pid 1, and /proc/1/root must not be the host. It ends when the supervisor does. */
pid_t pod_init_start(const struct build_env *env, int *lifeline, int *pidns, struct error *err);
