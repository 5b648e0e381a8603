/* What an external runtime sees: the host, in a mount namespace of its own, so that nothing which is mounted for it is ever on the host. */
#pragma once
#include "builder.h"

/* A copy of the host's mount namespace, without the mount that the plan hides. */
int runtime_view_enter(const struct plan_op *runtime, struct build_error *err);
/* In it: the overlay on <bundle>/rootfs and the pod's shared memory on <bundle>/shm. */
int runtime_view_mount(struct builder *b, const struct plan_op *runtime, int empty_mntns);
