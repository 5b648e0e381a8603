/* SELinux labels of volumes: a pod may ask for its own label on everything in one (CRI: selinux_relabel). */
#pragma once
#include "build/builder.h"

#define RELABEL_ENTRIES_MAX (1u << 20)
#define RELABEL_DEPTH_MAX 128

/* Labels what the detached mount of a bind operation shows, but nothing that is mounted in it. A file system without labels is left as it
 * is. */
int relabel(struct builder *b, const struct plan_op *op);
