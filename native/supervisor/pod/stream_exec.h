/* OPEN_EXEC: a further process in a running container whose stdio belongs to the daemon. Its pipes are handed over, so that no byte goes
 * through the supervisor; of a terminal it keeps the master. When the daemon's ends are closed, the process gets what a process gets
 * whose user has gone: an end of file, SIGPIPE, a hang-up of its terminal. It is not killed. */
#pragma once
#include "loop/connection.h"
#include "pod/container.h"

void stream_exec_init(struct connection *connection);
/* Answers when the program runs: 1, or -1 with *err. */
int stream_exec_open(const struct request *r, struct container *c, struct error *err);
/* Answers when it has ended. */
void stream_exec_wait(const struct request *r);
/* RESIZE: the terminal of a session, or the container's own. */
int stream_exec_resize(const struct request *r, struct container *c, struct error *err);
/* FORGET_EXEC: its client is gone, and the daemon does not wait for its end any more. */
void stream_exec_forget(const struct request *r);
/* The connection is gone: nobody waits for any. */
void stream_exec_forget_all(void);
void stream_exec_idle(void);
