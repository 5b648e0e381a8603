/* Containers that an external OCI runtime makes (runc, crun, …). The builder is a process as for any other container, and says the same
 * to its supervisor; what it does in between is to run
 *
 *   RUNTIME create     in a mount namespace that holds the overlay and ends with it
 *   RUNTIME start      when GO has come
 *   RUNTIME exec       for a further process
 *   RUNTIME delete     when everything is over
 *
 * The runtime leaves the container's process behind; the supervisor is the subreaper, so it becomes the parent. Signals, cgroups, output
 * and exit codes do not depend on the runtime from there on. */
#pragma once
#include "build/build.h"

/* As build_container and build_exec (build/build.h). */
int runtime_build_container(const struct wire_bytes *plan, const struct build_env *env, const struct build_io *io,
                            struct build_process *out, struct error *err);
int runtime_build_exec(const struct wire_bytes *container_plan, const struct wire_bytes *exec_plan,
                       const struct build_env *env, const struct build_io *io, struct build_process *out,
                       struct error *err);

/* Starts `RUNTIME delete --force`; its pid, 0 when the container has no runtime, or -1. */
pid_t runtime_delete(const struct wire_bytes *kept, int null_fd);
