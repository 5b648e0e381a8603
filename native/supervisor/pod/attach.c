#include "pod/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/give_back.h"
#include "base/member.h"
#include "base/unshared.h"
#include "loop/offer.h"
#include "loop/tty.h"
#include "pod/container_io.h"
#include "pod/log.h"

#define ATTACHMENTS_MAX 32u
#define PIPE_BYTES (256 << 10)

struct attachment;

struct attached_output {
    struct source to;    /* a pipe; its reader is the daemon */
    uint32_t start, end; /* of `rest` that the pipe has not taken */
    struct timer timer;
    struct attachment *attachment;
};

struct attachment {
    struct container *container; /* NULL: free, or only what is left is still sent */
    struct attached_output output[2];
    struct pump input; /* into a terminal */
} __attribute__((aligned(128)));

static struct attachment attachments[ATTACHMENTS_MAX] UNSHARED;
static unsigned in_use; /* the slots from here on have never been used: their pages are not there */
static uint8_t rests[ATTACHMENTS_MAX][2][ATTACH_WRITE_MAX] UNSHARED;
static bool rests_used; /* since their memory was last given back */
static struct connection *connection;

void attach_init(struct connection *the_connection) {
    connection = the_connection;
    UNSHARE_ARRAY(attachments);
    UNSHARE_ARRAY(rests);
}

static bool is_used(const struct attachment *a) {
    return a->container || a->output[0].to.fd >= 0 || a->output[1].to.fd >= 0 || pump_is_running(&a->input);
}

bool attach_is_watched(const struct container *c) {
    for (const struct attachment *a = attachments; a < attachments + in_use; a++)
        if (a->container == c) return true;
    return false;
}

void attach_idle(void) {
    for (const struct attachment *a = attachments; a < attachments + in_use; a++)
        if (is_used(a)) return;
    if (rests_used) give_back(rests, sizeof rests);
    rests_used = false;
}

static uint8_t *rest_of(const struct attached_output *o) {
    return rests[o->attachment - attachments][o - o->attachment->output];
}

static bool has_rest(const struct attached_output *o) { return o->to.fd >= 0 && o->start < o->end; }

static bool somebody_waits(const struct container *c, int stream) {
    for (const struct attachment *a = attachments; a < attachments + in_use; a++)
        if (a->container == c && has_rest(&a->output[stream])) return true;
    return false;
}

static void resume(struct container *c) {
    for (int i = 0; c && i < 2; i++)
        if (!somebody_waits(c, i)) container_io_resume(c, i);
}

/* A client without any stream left is no client. */
static void release_if_over(struct attachment *a) {
    if (a->output[0].to.fd < 0 && a->output[1].to.fd < 0 && !pump_is_running(&a->input)) a->container = NULL;
}

static void close_output(struct attached_output *o) {
    struct attachment *a = o->attachment;
    timer_clear(&o->timer);
    loop_close(&o->to);
    o->start = o->end = 0;
    resume(a->container);
    release_if_over(a);
}

static void on_stalled(struct timer *timer) {
    struct attached_output *o = container_of(timer, struct attached_output, timer);
    struct attachment *a = o->attachment;
    pump_stop(&a->input);
    for (int i = 0; i < 2; i++) close_output(&a->output[i]);
}

/* Writes what the pipe takes. -1: its reader is gone. */
static ssize_t offer_bytes(struct attached_output *o, const uint8_t *data, size_t len) {
    size_t at = 0;
    while (at < len) {
        ssize_t n = write(o->to.fd, data + at, len - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) return -1;
        at += (size_t)n;
    }
    return (ssize_t)at;
}

static void on_room(struct source *source, uint32_t events) {
    struct attached_output *o = container_of(source, struct attached_output, to);
    ssize_t n = events & (EPOLLERR | EPOLLHUP) ? -1 : offer_bytes(o, rest_of(o) + o->start, o->end - o->start);
    if (n < 0) {
        close_output(o);
        return;
    }
    o->start += (uint32_t)n;
    if (has_rest(o)) {
        if (n > 0) timer_set(&o->timer, ATTACH_STALL_MS, on_stalled);
        return;
    }
    timer_clear(&o->timer);
    loop_want(source, 0);
    if (o->attachment->container)
        resume(o->attachment->container);
    else
        close_output(o);
}

bool attach_write(struct container *c, int stream, const uint8_t *data, size_t len) {
    bool all = true;
    for (struct attachment *a = attachments; a < attachments + in_use; a++) {
        struct attached_output *o = &a->output[stream];
        if (a->container != c || o->to.fd < 0) continue;
        ssize_t n = offer_bytes(o, data, len);
        if (n < 0) {
            close_output(o);
        } else if ((size_t)n < len) {
            memcpy(rest_of(o), data + n, len - (size_t)n);
            o->start = 0;
            o->end = (uint32_t)(len - (size_t)n);
            rests_used = true;
            loop_want(&o->to, EPOLLOUT);
            timer_set(&o->timer, ATTACH_STALL_MS, on_stalled);
            all = false;
        }
    }
    return all;
}

/* It gets what has been read for it, and then the end. */
static void dismiss(struct attachment *a) {
    a->container = NULL;
    pump_stop(&a->input);
    for (int i = 0; i < 2; i++)
        if (!has_rest(&a->output[i])) close_output(&a->output[i]);
}

void attach_leave_behind(struct container *c) {
    for (struct attachment *a = attachments; a < attachments + in_use; a++)
        if (a->container == c && (has_rest(&a->output[0]) || has_rest(&a->output[1]))) dismiss(a);
    resume(c);
}

void attach_finish(struct container *c) {
    for (struct attachment *a = attachments; a < attachments + in_use; a++)
        if (a->container == c) dismiss(a);
}

/* ---- request ---- */

static void on_input_stopped(struct pump *p) { release_if_over(container_of(p, struct attachment, input)); }

static bool input_lasts(const struct pump *p) {
    const struct container *c = container_of(p, const struct attachment, input)->container;
    return c && c->state != CONTAINER_ENDING;
}

static int add_input(struct attachment *a, struct container *c, int *offered) {
    if (c->terminal) {
        if (tty_input(&a->input, c->output[0].source.fd, offered, on_input_stopped) < 0) return -1;
        a->input.lasts = input_lasts;
        return 0;
    }
    if (c->stdin_fd < 0) return 0; /* it has none, or it has been closed: the daemon gets nowhere to write */
    *offered = fcntl(c->stdin_fd, F_DUPFD_CLOEXEC, 3);
    return *offered < 0 ? -1 : 0;
}

static int add_output(struct attached_output *o, int *offered) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -1;
    *offered = ends[0];
    (void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
    if (loop_add(&o->to, ends[1], 0, on_room) == 0) return 0;
    close(ends[1]);
    return -1;
}

static struct attachment *allocate(void) {
    struct attachment *a = attachments;
    while (a < attachments + in_use && is_used(a)) a++;
    if (a == attachments + ATTACHMENTS_MAX) return NULL;
    if (a < attachments + in_use) return a;
    in_use++;
    pump_init(&a->input);
    for (int i = 0; i < 2; i++) a->output[i] = (struct attached_output){.to.fd = -1, .attachment = a};
    return a;
}

int attach_open(const struct request *r, struct container *c, struct error *err) {
    struct wire_writer w;
    int offered[OFFER_FDS] = {-1, -1, -1};
    if (c->state != CONTAINER_RUNNING) return error_set(err, EBUSY, "attach", "container is not running: %s", c->id);
    struct attachment *a = allocate();
    if (!a) return error_set(err, EAGAIN, "attach", "a pod has at most %u attached clients", ATTACHMENTS_MAX);
    bool done = !request_u8(r, FIELD_ATTACH_STDIN) || add_input(a, c, &offered[0]) == 0;
    for (int i = 0; i < 2 && done; i++)
        done = !request_u8(r, FIELD_ATTACH_STDOUT + (unsigned)i) || c->output[i].source.fd < 0 ||
               add_output(&a->output[i], &offered[1 + i]) == 0;
    if (!done) error_set(err, errno, "attach", "streams of container %s", c->id);
    if (done) a->container = c;
    uint32_t number = done ? offer_make(offered) : 0;
    if (done && number == 0) error_set(err, EAGAIN, "attach", "too many streams wait to be fetched");
    if (number == 0) {
        pump_stop(&a->input);
        for (int i = 0; i < 2; i++) close_output(&a->output[i]);
        for (unsigned i = 0; i < OFFER_FDS && !done; i++)
            if (offered[i] >= 0) close(offered[i]);
        a->container = NULL;
        return -1;
    }
    release_if_over(a); /* the pipe of an input alone is all the daemon's */
    message_begin(connection, &w, REQUEST_ATTACH | MESSAGE_REPLY, r->tag);
    wire_put_u32(&w, FIELD_ATTACH_REPLY_SESSION, number);
    message_send(connection, &w);
    return 1;
}

int attach_close_stdin(const struct request *r, struct container *c, struct error *err) {
    (void)r, (void)err;
    if (c->stdin_fd >= 0) close(c->stdin_fd);
    c->stdin_fd = -1;
    return 0;
}
