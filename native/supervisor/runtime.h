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
#include "builder.h"

_Noreturn void runtime_create_child(struct builder *b);
_Noreturn void runtime_exec_child(struct builder *b, const struct plan *container);

/* Starts `RUNTIME delete --force`; its pid, 0 when the container has no runtime, or -1. */
pid_t runtime_delete(const struct wire_bytes *kept, int null_fd);
