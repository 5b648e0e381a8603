/* A process that stands for a container which does not exist yet: systemd makes a scope around a process or not at all. It does nothing,
 * and ends when the container's first process is in the scope, or with the connection of the daemon that asked for it. */
#pragma once
#include <sys/types.h>

#include "base/error.h"

/* The pid, or -1 with *err. */
pid_t placeholder_begin(const char *id, struct error *err);
void placeholder_end(const char *id);
void placeholder_end_all(void);
