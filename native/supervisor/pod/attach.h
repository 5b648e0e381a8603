/* ATTACH: the daemon gets the streams of a container's first process, from now on.
 *
 * An attached client gets every byte that the log gets. One that does not keep up slows the container down, as a terminal does; one that
 * takes nothing for ATTACH_STALL_MS is cut off, so that it stops neither the container nor its log nor other clients for good. */
#pragma once
#include "loop/connection.h"
#include "pod/container.h"

#define ATTACH_STALL_MS 10000
#define ATTACH_WRITE_MAX (256u << 10) /* a client that does not keep up has so much kept for it */

void attach_init(struct connection *connection);
/* Answers at once: 1, or -1 with *err. */
int attach_open(const struct request *r, struct container *c, struct error *err);
/* CLOSE_STDIN: ends the container's standard input, once nobody who is attached holds it any more. */
int attach_close_stdin(const struct request *r, struct container *c, struct error *err);
/* Somebody is attached: no more than ATTACH_WRITE_MAX may be read at once. */
bool attach_is_watched(const struct container *c);
/* What was just read from output `stream` of the container, to everybody attached. False: somebody has to catch up first, and
 * container_io_resume will be called. */
bool attach_write(struct container *c, int stream, const uint8_t *data, size_t len);
/* Who has not kept up gets no more than what has been read already; the others go on. */
void attach_leave_behind(struct container *c);
/* The container's streams are at their end: clients get what they have not taken yet, and the end. */
void attach_finish(struct container *c);
void attach_idle(void);
