/* A writable cgroup in a user namespace: the kernel asks its files for their owner, who is the host's root as long as nobody changes it. */
#pragma once
#include "build/builder.h"

/* In the host's mount namespace: a cgroup that the container may write to belongs to the root of its user namespace. */
int cgroup_delegate(struct builder *b);
