/* Building a container (or a process in one) from a plan: the seam between the supervisor's event loop and the code that touches the
 * kernel. The loop decides when; this code knows how. See native/README.md for the handshake drawn once. */
#pragma once
#include <sys/types.h>

#include "base/error.h"
#include "build/env.h"
#include "wire/wire.h"

/* A process under construction. */
struct build_process {
    pid_t
        builder; /* direct child doing the work; the process itself unless a BUILD_PAYLOAD message names another pid */
    int pidfd;   /* of `builder` */
};

/* Checks every operation of a container's plan (known, in order, complete, well-formed) without carrying any of it out.
 * `target_pidfd` is the init process of the container whose PID namespace is to be joined (plan says TARGET), else -1.
 * Starts a child that carries the plan out. 0 or -1 with *err. Makes cgroups and writes limits before it forks; on failure after that
 * the caller removes them with cgroup_remove. */
int build_container(const struct wire_bytes *plan, const struct build_env *env, const struct build_io *io,
                    int target_pidfd, struct build_process *out, struct error *err);

/* Starts a further process in a running container. `init_pidfd` is the container's first process, `container_plan` the plan it was
 * built from (cgroups), `exec_plan` has the operations CREDENTIALS…EXEC of the new process. */
int build_exec(const struct wire_bytes *container_plan, const struct wire_bytes *exec_plan, const struct build_env *env,
               const struct build_io *io, int init_pidfd, struct build_process *out, struct error *err);
