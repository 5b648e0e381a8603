#include "pod/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/give_back.h"
#include "base/member.h"
#include "base/unshared.h"
#include "plan/kept_plan.h"
#include "pod/further.h"

#define DRAIN_MS 2000
/* Places that only those with a timeout get, as probes have one: what runs without an end keeps no probe from being run. */
#define BOUNDED_RESERVE 32u
/* A frame of output is 64 KiB, what a reader of sockets takes at once: read whole, it need not be put together again. */
#define FRAME_FIELDS (6u + 1u + 6u) /* stream, and the header of the data */
#define CHUNK ((64u << 10) - WIRE_FRAME_HEADER - FRAME_FIELDS)
#define REST_READS 32u /* more than a pipe holds: whoever fills it again as fast as it is read is not waited for */

struct exec_output {
    struct source source;
    uint8_t stream; /* 1 stdout, 2 stderr */
    uint32_t left;  /* bytes until the capture limit */
    bool waiting;   /* for room in the connection */
    uint32_t rest;  /* reads since the pipes are only emptied */
    struct exec *exec;
};

struct exec {
    bool used;
    bool abandoned; /* nobody waits for the answer */
    bool drained;   /* its pipes are read no longer than there is something in them */
    uint32_t tag;
    struct further further;
    struct exec_output output[2];
    struct timer drain;
} __attribute__((aligned(32)));

static struct exec execs[FURTHER_MAX] UNSHARED;
static unsigned in_use; /* the slots from here on have not been touched since their memory was last given back */
static struct connection *connection;

void exec_init(struct connection *the_connection) {
    connection = the_connection;
    UNSHARE_ARRAY(execs);
}

void exec_idle(void) {
    for (const struct exec *e = execs; e < execs + in_use; e++)
        if (e->used) return;
    if (in_use) give_back(execs, sizeof execs); /* zeros are free slots */
    in_use = 0;
}

static void reply(struct exec *e) {
    struct wire_writer w;
    if (e->abandoned) return;
    if (e->further.error.error && !e->further.timed_out) {
        reply_error(connection, e->tag, &e->further.error);
        return;
    }
    message_begin(connection, &w, REQUEST_EXEC | MESSAGE_REPLY, e->tag);
    wire_put_i32(&w, FIELD_EXEC_REPLY_EXIT_CODE, child_exit_code(e->further.process.status));
    wire_put_u8(&w, FIELD_EXEC_REPLY_TIMED_OUT, e->further.timed_out);
    message_send(connection, &w);
}

static void on_drain_timer(struct timer *timer);

/* Goes as far as it can; called again by whatever it waits for. */
static void step(struct exec *e) {
    if (!process_is_gone(&e->further.process)) return;
    bool open = e->output[0].source.fd >= 0 || e->output[1].source.fd >= 0;
    if (open && !e->drained && !e->abandoned && e->further.error.error == 0) {
        if (e->drain.at == 0) timer_set(&e->drain, DRAIN_MS, on_drain_timer);
        return;
    }
    if (e->drained && (e->output[0].waiting || e->output[1].waiting) && !e->abandoned)
        return; /* what is in the pipes is still sent: exec_on_room goes on */
    timer_clear(&e->drain);
    for (int i = 0; i < 2; i++) loop_close(&e->output[i].source);
    further_release(&e->further);
    reply(e);
    e->used = false;
}

static void close_output(struct exec_output *o) {
    o->waiting = false;
    loop_close(&o->source);
}

/* Reads once, directly into the connection's buffer; false when there is nothing more to read now. */
static bool forward(struct exec_output *o) {
    struct wire_writer w;
    if (!o->exec->abandoned && !connection_has_room(connection)) {
        o->waiting = true;
        loop_pause(&o->source);
        return false;
    }
    message_begin(connection, &w, MESSAGE_EXEC_OUTPUT, o->exec->tag);
    wire_put_u8(&w, FIELD_EXEC_OUTPUT_STREAM, o->stream);
    wire_put_bytes(&w, FIELD_EXEC_OUTPUT_DATA, NULL, 0);
    if (o->exec->drained && ++o->rest > REST_READS) {
        close_output(o);
        return false;
    }
    ssize_t n = read(o->source.fd, w.data + w.len, CHUNK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (o->exec->drained) close_output(o);
        return false;
    }
    if (n <= 0) {
        close_output(o);
        return false;
    }
    uint32_t sent = (uint32_t)n < o->left ? (uint32_t)n : o->left;
    o->left -= sent;
    if (sent == 0 || o->exec->abandoned) return true;
    for (unsigned i = 0; i < 4; i++) w.data[w.len - 4 + i] = (uint8_t)(sent >> (8 * i));
    w.len += sent;
    message_send(connection, &w);
    return true;
}

static void on_output(struct source *source, uint32_t events) {
    (void)events;
    struct exec_output *o = container_of(source, struct exec_output, source);
    forward(o);
    if (source->fd < 0) step(o->exec);
}

void exec_on_room(void) {
    for (struct exec *e = execs; e < execs + in_use; e++) {
        for (int i = 0; e->used && i < 2; i++) {
            struct exec_output *o = &e->output[i];
            if (!o->waiting || !connection_has_room(connection)) continue;
            o->waiting = false;
            if (loop_resume(&o->source) < 0) close_output(o);
            while (e->drained && o->source.fd >= 0 && forward(o)) {
            }
            step(e);
        }
    }
}

/* The pipes are still open: whoever holds them is not waited for, what they hold is taken. */
static void on_drain_timer(struct timer *timer) {
    struct exec *e = container_of(timer, struct exec, drain);
    e->drained = true;
    for (int i = 0; i < 2; i++)
        while (e->output[i].source.fd >= 0 && !e->output[i].waiting && forward(&e->output[i])) {
        }
    step(e);
}

/* ---- the process ---- */

static void on_executed(struct further *f) {
    if (container_of(f, struct exec, further)->abandoned) process_kill_group(&f->process);
}

static void on_changed(struct further *f) { step(container_of(f, struct exec, further)); }

static int open_pipes(struct exec *e, struct build_io *io) {
    for (int i = 0; i < 2; i++) {
        int ours = further_pipe(io, 1 + i);
        if (ours < 0) return -1;
        if (fcntl(ours, F_SETFL, O_NONBLOCK) == 0 && loop_add(&e->output[i].source, ours, EPOLLIN, on_output) == 0)
            continue;
        close(ours);
        return -1;
    }
    return 0;
}

static struct exec *allocate(bool bounded) {
    unsigned limit = FURTHER_MAX - (bounded ? 0 : BOUNDED_RESERVE);
    for (struct exec *e = execs; e < execs + in_use && e < execs + limit; e++)
        if (!e->used) return e;
    return in_use < limit ? &execs[in_use++] : NULL;
}

int exec_start(const struct request *r, struct container *c, struct error *err) {
    struct plan_facts facts;
    struct exec *e = allocate(request_u32(r, FIELD_EXEC_TIMEOUT_MS) != 0);
    if (further_check(&r->field[FIELD_EXEC_PLAN], c, e != NULL, &facts, err) < 0) return -1;
    if (facts.terminal)
        return error_set(err, EINVAL, "exec", "a terminal needs a stream, not EXEC: container %s", c->id);
    memset(e, 0, sizeof *e);
    e->tag = r->tag;
    e->further.on_executed = on_executed;
    e->further.on_changed = on_changed;
    uint32_t timeout_ms = request_u32(r, FIELD_EXEC_TIMEOUT_MS);
    if (timeout_ms) e->further.deadline = loop_now_ms() + timeout_ms;
    for (uint8_t i = 0; i < 2; i++)
        e->output[i] = (struct exec_output){.source = {.fd = -1},
                                            .stream = (uint8_t)(i + 1),
                                            .left = request_u32(r, FIELD_EXEC_CAPTURE_LIMIT),
                                            .exec = e};
    struct build_io io = further_io();
    int done = open_pipes(e, &io);
    if (further_begin(&e->further, &r->field[FIELD_EXEC_PLAN], c, &io, done, err) < 0) {
        for (int i = 0; i < 2; i++) loop_close(&e->output[i].source);
        return -1;
    }
    e->used = true;
    return 1;
}

static void abandon(struct exec *e) {
    e->abandoned = true;
    /* A payload that its builder has not named yet is killed when the handshake is over (on_executed). */
    process_kill_group(&e->further.process);
    for (int i = 0; i < 2; i++) close_output(&e->output[i]);
    step(e);
}

void exec_cancel(const struct request *r) {
    for (struct exec *e = execs; e < execs + in_use; e++) {
        if (!e->used || e->abandoned || e->tag != request_u32(r, FIELD_CANCEL_EXEC_TAG)) continue;
        reply_errno(connection, e->tag, ECANCELED, "exec", "nobody waits for it any more");
        abandon(e);
    }
    reply_empty(connection, r->type, r->tag);
}

void exec_abandon_all(void) {
    for (struct exec *e = execs; e < execs + in_use; e++)
        if (e->used) abandon(e);
}
