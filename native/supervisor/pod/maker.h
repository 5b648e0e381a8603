/* Who makes a process: our own builder or, where the plan names one, an external runtime. */
#pragma once
#include "build/build.h"

/* As build_container and build_exec. */
int maker_container(const struct wire_bytes *plan, const struct build_env *env, const struct build_io *io,
                    int target_pidfd, struct build_process *out, struct error *err);
int maker_exec(const struct wire_bytes *container_plan, const struct wire_bytes *exec_plan, const struct build_env *env,
               const struct build_io *io, int init_pidfd, struct build_process *out, struct error *err);
