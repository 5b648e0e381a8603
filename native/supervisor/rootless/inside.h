/* What is done in the new namespaces, as their root. */
#pragma once
#include <sched.h>

#include "base/error.h"
#include "base/kernel.h"

#define INSIDE_NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | K_CLONE_NEWCGROUP)

int inside_become_root(struct error *err);
/* Mounts and the loopback interface, once. `binds`: pairs of source and destination. */
int inside_set_up(char *const *binds, struct error *err);
