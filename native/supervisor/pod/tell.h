/* What the daemon is told of containers: answers, the end of one, the list of all. */
#pragma once
#include "loop/connection.h"
#include "pod/container.h"
#include "pod/sandbox.h"

void tell_init(struct connection *connection);

void tell_pid(uint16_t request, uint32_t tag, pid_t pid);
/* Of a container whose creation or start somebody waits for (`tag` is not 0): that it is so, or why not. */
void tell_creating(struct container *c);
void tell_created(struct container *c, uint32_t tag);
void tell_started(struct container *c, uint32_t tag);
void tell_exited(struct container *c);
void tell_list(uint32_t tag, const struct sandbox *sandbox);
