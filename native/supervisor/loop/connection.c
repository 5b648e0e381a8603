#include "loop/connection.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/harden.h"
#include "base/member.h"
#include "base/unshared.h"

#define KEEP (64u << 10) /* buffers up to this size are wiped, larger ones are given back */

static void *reserve(size_t size) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return NULL;
    harden_small_pages(p, size);
    unshare_pages(p, size);
    return p;
}

int connection_init(struct connection *c) {
    c->source.fd = -1;
    c->in = reserve(WIRE_FRAME_MAX);
    c->out = reserve(CONNECTION_OUT_MAX);
    return c->in && c->out ? 0 : -1;
}

void connection_drop(struct connection *c) {
    munmap(c->in, WIRE_FRAME_MAX);
    munmap(c->out, CONNECTION_OUT_MAX);
}

bool connection_is_open(const struct connection *c) { return c->source.fd >= 0; }

static size_t queued(const struct connection *c) { return c->out_end - c->out_start; }

bool connection_has_room(const struct connection *c) { return queued(c) < CONNECTION_OUT_PAUSE / 2; }

/* A frame may have held a plan: its environment and filters are not kept a moment longer than they are needed. */
static void wipe_in(struct connection *c) {
    if (c->in_used > KEEP)
        madvise(c->in, WIRE_FRAME_MAX, MADV_DONTNEED);
    else
        explicit_bzero(c->in, c->in_used);
    c->in_used = 0;
}

void connection_idle(struct connection *c) {
    if (c->in_len == 0) madvise(c->in, WIRE_FRAME_MAX, MADV_DONTNEED);
    if (queued(c) == 0 && c->out_used > 0) madvise(c->out, CONNECTION_OUT_MAX, MADV_DONTNEED);
    c->out_used = queued(c);
}

void connection_close(struct connection *c) {
    if (!connection_is_open(c)) return;
    loop_close(&c->source);
    c->in_len = 0;
    wipe_in(c);
    if (c->out_end > KEEP) madvise(c->out, CONNECTION_OUT_MAX, MADV_DONTNEED);
    c->out_start = c->out_end = 0;
    c->ending = false;
    if (c->on_closed) c->on_closed(c);
}

static void update_interest(struct connection *c) {
    uint32_t events = queued(c) > 0 ? EPOLLOUT : 0;
    if (!c->ending && queued(c) < CONNECTION_OUT_PAUSE) events |= EPOLLIN;
    loop_want(&c->source, events);
}

/* Sends what the peer takes. */
static void flush(struct connection *c) {
    while (queued(c) > 0) {
        ssize_t n = send(c->source.fd, c->out + c->out_start, queued(c), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) {
            /* Closed by the handler of the next event: callers up the stack still use this connection. */
            c->ending = true;
            c->out_start = c->out_end;
            shutdown(c->source.fd, SHUT_RDWR);
            break;
        }
        c->out_start += (size_t)n;
    }
    if (queued(c) == 0)
        c->out_start = c->out_end = 0; /* connection_idle gives the memory back: an exec's output is many frames */
    update_interest(c);
}

/* Handles the complete frames that have been received. */
static void handle_frames(struct connection *c) {
    size_t at = 0;
    while (connection_is_open(c) && !c->ending && queued(c) < CONNECTION_OUT_PAUSE && c->in_len - at >= 4) {
        size_t len = (size_t)wire_load32(c->in + at) + 4;
        struct request request = {0};
        const char *wrong = "malformed frame";
        if (len >= WIRE_FRAME_HEADER && len <= WIRE_FRAME_MAX) {
            if (c->in_len - at < len) break;
            wrong = request_decode(c->in + at, len, &request);
        }
        if (wrong) {
            reply_errno(c, request.tag, EPROTO, "frame", "%s, type 0x%04x", wrong, request.type);
            connection_end(c);
            return;
        }
        c->on_request(c, &request);
        at += len;
    }
    if (!connection_is_open(c)) return;
    c->in_len -= at;
    memmove(c->in, c->in + at, c->in_len);
    if (c->in_len == 0) wipe_in(c);
}

static void receive(struct connection *c) {
    ssize_t n = recv(c->source.fd, c->in + c->in_len, WIRE_FRAME_MAX - c->in_len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        connection_close(c);
        return;
    }
    c->in_len += (size_t)n;
    if (c->in_used < c->in_len) c->in_used = c->in_len;
    handle_frames(c);
}

static void on_ready(struct source *source, uint32_t events) {
    struct connection *c = container_of(source, struct connection, source);
    if (events & EPOLLOUT) {
        flush(c);
        if (queued(c) < CONNECTION_OUT_PAUSE && c->in_len > 0)
            handle_frames(c); /* frames that waited for the peer to read */
        if (connection_is_open(c) && connection_has_room(c) && c->on_room) c->on_room(c);
    }
    if (!connection_is_open(c)) return;
    if ((c->ending && queued(c) == 0) || (events & (EPOLLHUP | EPOLLERR)))
        connection_close(c);
    else if (events & EPOLLIN && !c->ending)
        receive(c);
}

int connection_open(struct connection *c, int fd) {
    c->in_len = c->in_used = c->out_start = c->out_end = 0;
    c->ending = false;
    return loop_add(&c->source, fd, EPOLLIN, on_ready);
}

void connection_end(struct connection *c) {
    if (!connection_is_open(c)) return;
    c->ending = true;
    if (queued(c) == 0) shutdown(c->source.fd, SHUT_RDWR);
    update_interest(c);
}

void message_begin(struct connection *c, struct wire_writer *w, uint16_t type, uint32_t tag) {
    if (c->out_start > 0 && CONNECTION_OUT_MAX - c->out_end < WIRE_FRAME_MAX) {
        memmove(c->out, c->out + c->out_start, queued(c));
        c->out_end -= c->out_start;
        c->out_start = 0;
    }
    size_t size = CONNECTION_OUT_MAX - c->out_end;
    wire_writer_init(w, c->out + c->out_end, size < WIRE_FRAME_MAX ? size : WIRE_FRAME_MAX);
    wire_frame_begin(w, type, tag);
}

void message_send(struct connection *c, struct wire_writer *w) {
    if (!connection_is_open(c) || c->ending) return;
    wire_frame_end(w);
    if (w->overflow) {
        connection_end(c); /* a peer that lost a message must not believe that it got all of them */
        return;
    }
    c->out_end += w->len;
    if (c->out_used < c->out_end) c->out_used = c->out_end;
    flush(c);
}

void reply_empty(struct connection *c, uint16_t request_type, uint32_t tag) {
    struct wire_writer w;
    message_begin(c, &w, request_type | MESSAGE_REPLY, tag);
    message_send(c, &w);
}

void reply_error(struct connection *c, uint32_t tag, const struct error *err) {
    struct wire_writer w;
    message_begin(c, &w, MESSAGE_ERROR, tag);
    wire_put_i32(&w, FIELD_ERROR_ERRNO, err->error);
    wire_put_string(&w, FIELD_ERROR_STEP, err->step);
    wire_put_string(&w, FIELD_ERROR_MESSAGE, err->detail);
    message_send(c, &w);
}

void reply_errno(struct connection *c, uint32_t tag, int error, const char *step, const char *format, ...) {
    struct error err;
    va_list args;
    va_start(args, format);
    error_vset(&err, error, step, format, args);
    va_end(args);
    reply_error(c, tag, &err);
}
