/* Who keeps the namespaces: a process outside of them, which is the parent of the one inside and of whatever connects their network. It
 * ends when either it or the one inside is told to. */
#pragma once
#include <sys/types.h>

#include "base/error.h"
#include "rootless/rootless.h"

/* The pid of the process inside, which is also written to `record`, or -1. The lock of `record` is the keeper's from then on. */
pid_t keeper_start(const struct rootless_plan *plan, int record, struct error *err);
