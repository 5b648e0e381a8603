#include "pod/maker.h"

#include "plan/plan.h"
#include "runtime/runtime.h"

int maker_container(const struct wire_bytes *plan, const struct build_env *env, const struct build_io *io,
                    int target_pidfd, struct build_process *out, struct error *err) {
    return plan_has(plan, PLAN_RUNTIME) ? runtime_build_container(plan, env, io, out, err)
                                        : build_container(plan, env, io, target_pidfd, out, err);
}

int maker_exec(const struct wire_bytes *container, const struct wire_bytes *exec, const struct build_env *env,
               const struct build_io *io, int init_pidfd, struct build_process *out, struct error *err) {
    return plan_has(container, PLAN_RUNTIME) ? runtime_build_exec(container, exec, env, io, out, err)
                                             : build_exec(container, exec, env, io, init_pidfd, out, err);
}
