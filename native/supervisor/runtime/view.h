/* What an external runtime sees: the host, in a mount namespace of its own, so that nothing which is mounted for it is ever on the host. */
#pragma once
#include "build/builder.h"

/* A copy of the host's mount namespace, without the mount that the plan hides. */
int runtime_view_enter(const struct plan_op *runtime, struct error *err);
/* In it, by their names in the bundle: the overlay on rootfs, the pod's shared memory on shm, its user namespace on userns, and on
 * mounts/… what the plan mounts there. */
int runtime_view_mount(struct builder *b, const struct plan_op *runtime, int empty_mntns);
