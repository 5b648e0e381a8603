/* May a mount source be given to a container with this propagation? */
#pragma once
#include "builder.h"

/* `fd` is the source, opened in the host's mount namespace. */
int propagation_check(struct builder *b, const struct plan_op *op, int fd);
