/* Which mounts tell each other of what is mounted on them. */
#pragma once
#include "build/builder.h"

/* In an own mount namespace: our copy of the mount that `path` lies on passes nothing on to the host's any more. All others still do, in
 * both directions: volumes depend on it. */
int propagation_end(const char *path);

/* May a mount source be given to a container with this propagation? `fd` is the source, opened in the host's mount namespace. */
int propagation_check(struct builder *b, const struct plan_op *op, int fd);
