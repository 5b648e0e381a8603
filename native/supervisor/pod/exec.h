/* EXEC sessions: a further process in a running container, its output streamed to whoever asked.
 *
 * A session owns everything that belongs to it (process, pipes, timers) and ends as a whole: at the latest DRAIN_MS after its process
 * has ended, whoever still holds its pipes (CVE-2026-53495). Output is never collected here: it is read when the connection has room,
 * and past the capture limit it is read and thrown away (CVE-2022-31030). */
#pragma once
#include "loop/connection.h"
#include "pod/container.h"

void exec_init(struct connection *connection);
/* Answers when it has ended: 1, or -1 with *err. */
int exec_start(const struct request *r, struct container *c, struct error *err);
/* CANCEL_EXEC: nobody waits for the answer any more; it ends as at its timeout. */
void exec_cancel(const struct request *r);
/* The connection has room again. */
void exec_on_room(void);
/* Gives the memory of past sessions back. */
void exec_idle(void);
/* The connection is gone: its sessions are killed. */
void exec_abandon_all(void);
