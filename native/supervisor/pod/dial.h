/* CONNECT: a connection to a port of the pod, made by the supervisor, which lives in the pod's network namespace, and handed over.
 * Nothing of the container's image runs for it (CVE-2022-1227). */
#pragma once
#include "loop/connection.h"

/* `ready`: the supervisor has its own network namespace, or shares the host's because it was told to. */
void dial_init(struct connection *connection, const bool *ready);
void dial_start(const struct request *r);
/* The connection is gone: nobody waits any more. */
void dial_forget(void);
