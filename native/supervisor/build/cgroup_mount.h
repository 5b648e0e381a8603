/* /sys/fs/cgroup on a host with version 1 hierarchies: a tmpfs with one mount per hierarchy, of the container's own cgroup. */
#pragma once
#include "build/builder.h"

/* In the host's mount namespace: clones of the container's directories, with the flags of the mount. */
int cgroup_mount_open(struct builder *b, unsigned flags);

/* Below the root: attaches them all to `target`. */
int cgroup_mount_apply(struct builder *b, struct plan_op *op, int target);
