/* One hook from its start to its end. */
#pragma once
#include "build/builder.h"

/* Runs it with b->hook_state on stdin; `enter` is called in its process beforehand. 0, or -1 with b->err, which ends in what it has said.
 * However much it writes is read, however long it takes it is killed at its timeout, with its process group. */
int hook_run(struct builder *b, const struct plan_op *hook, int (*enter)(struct builder *));
