#include "pod/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/give_back.h"
#include "build/env.h"
#include "plan/kept_plan.h"
#include "pod/maker.h"

#define EXECS_MAX 128u
#define BUILD_MS 10000
#define DRAIN_MS 2000
/* A frame of output is 64 KiB, what a reader of sockets takes at once: read whole, it need not be put together again. */
#define FRAME_FIELDS (6u + 1u + 6u) /* stream, and the header of the data */
#define CHUNK ((64u << 10) - WIRE_FRAME_HEADER - FRAME_FIELDS)
#define PIPE_BYTES (256 << 10)
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
    bool executed;
    bool timed_out;
    bool abandoned; /* nobody waits for the answer */
    bool drained;   /* its pipes are read no longer than there is something in them */
    uint32_t tag;
    struct process process;
    struct exec_output output[2];
    struct timer timer;
    int64_t timeout_ms, deadline; /* 0: none */
    struct error error;
};

static struct exec execs[EXECS_MAX] __attribute__((aligned(4096)));
static bool execs_used; /* since their memory was last given back */
static struct connection *connection;
static const struct build_env *env;

void exec_init(struct connection *the_connection, const struct build_env *the_env) {
    connection = the_connection;
    env = the_env;
}

void exec_idle(void) {
    for (const struct exec *e = execs; e < execs + EXECS_MAX; e++)
        if (e->used) return;
    if (execs_used) give_back(execs, sizeof execs); /* zeros are free slots */
    execs_used = false;
}

static void reply(struct exec *e) {
    struct wire_writer w;
    if (e->abandoned) return;
    if (e->error.error && !e->timed_out) {
        reply_error(connection, e->tag, &e->error);
        return;
    }
    message_begin(connection, &w, REQUEST_EXEC | MESSAGE_REPLY, e->tag);
    wire_put_i32(&w, 1, child_exit_code(e->process.status));
    wire_put_u8(&w, 2, e->timed_out);
    message_send(connection, &w);
}

static void on_drain_timer(struct timer *timer);

/* Goes as far as it can; called again by whatever it waits for. */
static void step(struct exec *e) {
    if (!process_is_gone(&e->process)) return;
    bool open = e->output[0].source.fd >= 0 || e->output[1].source.fd >= 0;
    if (open && !e->drained && !e->abandoned && e->error.error == 0) {
        if (e->timer.fire != on_drain_timer || e->timer.at == 0) timer_set(&e->timer, DRAIN_MS, on_drain_timer);
        return;
    }
    if (e->drained && (e->output[0].waiting || e->output[1].waiting) && !e->abandoned)
        return; /* what is in the pipes is still sent: exec_on_room goes on */
    timer_clear(&e->timer);
    for (int i = 0; i < 2; i++) loop_close(&e->output[i].source);
    process_close(&e->process);
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
    wire_put_u8(&w, 1, o->stream);
    wire_put_bytes(&w, 2, NULL, 0);
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
    struct exec_output *o = (struct exec_output *)((char *)source - offsetof(struct exec_output, source));
    forward(o);
    if (source->fd < 0) step(o->exec);
}

void exec_on_room(void) {
    for (struct exec *e = execs; e < execs + EXECS_MAX; e++) {
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
    struct exec *e = (struct exec *)((char *)timer - offsetof(struct exec, timer));
    e->drained = true;
    for (int i = 0; i < 2; i++)
        while (e->output[i].source.fd >= 0 && !e->output[i].waiting && forward(&e->output[i])) {
        }
    step(e);
}

static void on_deadline(struct timer *timer) {
    struct exec *e = (struct exec *)((char *)timer - offsetof(struct exec, timer));
    if (e->process.ended && !process_is_gone(&e->process)) {
        process_kill(&e->process);
        return;
    }
    e->timed_out = e->deadline && loop_now_ms() >= e->deadline;
    if (!e->timed_out) error_set(&e->error, ETIMEDOUT, "exec", "process was not built in time");
    process_kill_group(&e->process);
    handshake_end(&e->process.handshake);
}

#define OF_PROCESS(p) ((struct exec *)((char *)(p) - offsetof(struct exec, process)))

static void on_ready(struct process *p) { (void)p; }

static void on_executed(struct process *p) {
    struct exec *e = OF_PROCESS(p);
    e->executed = true;
    timer_clear(&e->timer);
    if (e->abandoned)
        process_kill_group(p);
    else if (e->deadline)
        timer_set(&e->timer, e->deadline - loop_now_ms(), on_deadline);
    step(e);
}

static void on_failed(struct process *p, const struct error *err) {
    struct exec *e = OF_PROCESS(p);
    e->error = *err;
    if (e->error.error == 0) e->error.error = EIO;
    process_kill(p);
    step(e);
}

static void on_ended(struct process *p) {
    struct exec *e = OF_PROCESS(p);
    if (!process_is_gone(p)) process_kill(p); /* a builder has nothing left to do when its payload has ended */
    step(e);
}

static int open_pipes(struct exec *e, struct build_io *io) {
    for (int i = 0; i < 2; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0) return -1;
        io->stdio[1 + i] = ends[1];
        if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ||
            loop_add(&e->output[i].source, ends[0], EPOLLIN, on_output) < 0) {
            close(ends[0]);
            return -1;
        }
        /* A writer that is not woken for every page; a host at its pipe limit keeps the default. */
        if (i == 0) (void)fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
    }
    return 0;
}

static int build(struct exec *e, const struct request *r, struct container *c, struct error *err) {
    struct build_io io = {.stdio = {env->null_fd, -1, -1}, .sync = -1};
    struct build_process built;
    int pair[2] = {-1, -1};
    int done = -1;
    if (open_pipes(e, &io) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        error_set(err, errno, "exec", "pipes of a process in container %s", c->id);
    else {
        io.sync = pair[1];
        done = maker_exec(&c->kept, &r->field[2], env, &io, c->process.pidfd, &built, err);
    }
    for (int i = 1; i < 3; i++)
        if (io.stdio[i] >= 0) close(io.stdio[i]);
    if (pair[1] >= 0) close(pair[1]);
    if (done == 0 && process_begin(&e->process, &built, pair[0], false, false) < 0) {
        done = error_set(err, errno, "exec", "handshake with a process of container %s", c->id);
        process_kill(&e->process);
        process_close(&e->process);
    }
    if (done < 0 && pair[0] >= 0) close(pair[0]);
    return done;
}

int exec_start(const struct request *r, struct container *c, struct error *err) {
    struct plan_facts facts;
    struct exec *e = execs;
    if (c->state != CONTAINER_RUNNING) return error_set(err, EBUSY, "exec", "container is not running: %s", c->id);
    if (plan_facts_read(&r->field[2], &facts, err) < 0) return -1;
    if (facts.terminal)
        return error_set(err, EINVAL, "exec", "a terminal needs a stream, not EXEC: container %s", c->id);
    while (e < execs + EXECS_MAX && e->used) e++;
    if (e == execs + EXECS_MAX)
        return error_set(err, EAGAIN, "exec", "a pod runs at most %u processes of this kind at once", EXECS_MAX);
    memset(e, 0, sizeof *e);
    process_init(&e->process);
    e->tag = r->tag;
    e->timeout_ms = request_u32(r, 3);
    e->deadline = e->timeout_ms ? loop_now_ms() + e->timeout_ms : 0;
    for (uint8_t i = 0; i < 2; i++)
        e->output[i] = (struct exec_output){
            .source = {.fd = -1}, .stream = (uint8_t)(i + 1), .left = request_u32(r, 4), .exec = e};
    e->process.on_ready = on_ready;
    e->process.on_executed = on_executed;
    e->process.on_failed = on_failed;
    e->process.on_ended = on_ended;
    if (build(e, r, c, err) < 0) {
        for (int i = 0; i < 2; i++) loop_close(&e->output[i].source);
        return -1;
    }
    e->used = execs_used = true;
    timer_set(&e->timer, e->timeout_ms && e->timeout_ms < BUILD_MS ? e->timeout_ms : BUILD_MS, on_deadline);
    return 0;
}

void exec_abandon_all(void) {
    for (struct exec *e = execs; e < execs + EXECS_MAX; e++) {
        if (!e->used) continue;
        e->abandoned = true;
        /* A payload that its builder has not named yet is killed when the handshake is over (on_executed). */
        process_kill_group(&e->process);
        for (int i = 0; i < 2; i++) close_output(&e->output[i]);
        step(e);
    }
}
