/* The first and the last steps of every process that is built, a container's first one or a further one: what it inherits, what it tells
 * its supervisor, and how it becomes the program. */
#pragma once
#include "build/builder.h"

/* In the supervisor: which signals are ignored, asked once, so that a child need not ask. */
void launch_probe(void);

/* Non-dumpable, own signal state, stdio in place, every other descriptor closed but the sync socket, the pod's user namespace, and `keep`,
 * `keep2` (may be -1). */
void launch_begin(struct builder *b, int keep, int keep2);

/* Joins a PID namespace if there is one to join, takes on the identity, waits to be released (create only), and execs. */
_Noreturn void launch_finish(struct builder *b, const struct plan_credentials *c, bool wait);

/* What a builder says, in this order (build/message.h): which process it is, its terminal, that it waits for GO. */
void launch_name_payload(struct builder *b, pid_t pid);
void launch_hand_over_console(struct builder *b);
void launch_wait(struct builder *b);
/* Before that: hooks of the runtime's namespaces are due. */
void launch_await_hooks(struct builder *b);

/* Reports b->err and ends. */
_Noreturn void launch_fail(struct builder *b);
