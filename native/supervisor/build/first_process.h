/* The first process of a container that has a user namespace and a PID namespace of its own. It has to be born in both, and the tree it
 * will live in has to be put together by somebody who is still outside of them: it is born first, in an empty mount namespace, and waits.
 * The builder gives it the finished namespaces, and ends. */
#pragma once
#include "build/builder.h"

/* 0 in the builder; 1 in the new process once it is in the container's namespaces, as their root; -1 with b->err in either. */
int first_process_start(struct builder *b);

/* In the builder, inside of the user namespace: gives its own mount and cgroup namespace to the process that waits, and ends. */
_Noreturn void first_process_release(struct builder *b);
