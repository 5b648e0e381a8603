/* One framed connection: bounded buffers in both directions, never a blocking call.
 *
 * Requests are not read while more than CONNECTION_OUT_PAUSE bytes wait to be sent, so a peer that does not read cannot make us hold
 * more than a bounded number of replies. Bulk producers ask connection_has_room first and go on when `on_room` is called. */
#pragma once
#include "base/error.h"
#include "loop/loop.h"
#include "wire/request.h"
#include "wire/wire.h"

#define CONNECTION_OUT_PAUSE (256u << 10)
#define CONNECTION_OUT_MAX (WIRE_FRAME_MAX + (1u << 20))

struct connection {
    struct source source;
    uint8_t *in;
    size_t in_len;
    size_t in_used; /* how far the buffer was ever filled since it was last given back */
    uint8_t *out;
    size_t out_start, out_end;
    size_t out_used; /* how far it was ever filled since it was last given back */
    bool ending;     /* nothing more is read; closed when all is sent */
    void (*on_request)(struct connection *connection, const struct request *request);
    void (*on_room)(struct connection *connection);
    void (*on_closed)(struct connection *connection);
};

/* Address space for the buffers; memory is used as it is filled and given back when they are empty. */
int connection_init(struct connection *c);
/* Gives the address space of a connection back: for a process that was forked and does not serve it. */
void connection_drop(struct connection *c);
int connection_open(struct connection *c, int fd);
bool connection_is_open(const struct connection *c);
/* Closes at once and calls on_closed. */
void connection_close(struct connection *c);
/* Sends what is queued for as long as the peer takes it without waiting, then closes. */
void connection_end(struct connection *c);

/* Gives the memory of empty buffers back. */
void connection_idle(struct connection *c);

bool connection_has_room(const struct connection *c);

/* A message: begin, put fields with wire_put_*, send. Nothing is sent when nobody is connected. */
void message_begin(struct connection *c, struct wire_writer *w, uint16_t type, uint32_t tag);
void message_send(struct connection *c, struct wire_writer *w);

void reply_empty(struct connection *c, uint16_t request_type, uint32_t tag);
void reply_error(struct connection *c, uint32_t tag, const struct error *err);
__attribute__((format(printf, 5, 6))) void reply_errno(struct connection *c, uint32_t tag, int error, const char *step,
                                                       const char *format, ...);
