#include "pod/stream_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/give_back.h"
#include "build/env.h"
#include "loop/offer.h"
#include "loop/tty.h"
#include "plan/kept_plan.h"
#include "pod/maker.h"

#define SESSIONS_MAX 128u
#define BUILD_MS 10000
#define PIPE_BYTES (256 << 10)

struct session {
    bool used;
    bool terminal, with_input;
    bool forgotten; /* nobody will ask for its end */
    uint32_t number;
    uint32_t open_tag, wait_tag; /* 0: nobody waits for the answer */
    struct process process;
    int offered[OFFER_FDS];
    struct timer timer;
    struct error error;
    struct pump output, input; /* of a terminal */
};

static struct session sessions[SESSIONS_MAX] __attribute__((aligned(4096)));
static bool sessions_used; /* since their memory was last given back */
static struct connection *connection;
static const struct build_env *env;

void stream_exec_init(struct connection *the_connection, const struct build_env *the_env) {
    connection = the_connection;
    env = the_env;
}

void stream_exec_idle(void) {
    for (const struct session *s = sessions; s < sessions + SESSIONS_MAX; s++)
        if (s->used) return;
    if (sessions_used) give_back(sessions, sizeof sessions); /* zeros are free slots */
    sessions_used = false;
}

static void close_offered(struct session *s) {
    for (unsigned i = 0; i < OFFER_FDS; i++) {
        if (s->offered[i] >= 0) close(s->offered[i]);
        s->offered[i] = -1;
    }
}

static void release(struct session *s) {
    timer_clear(&s->timer);
    pump_stop(&s->output);
    pump_stop(&s->input);
    close_offered(s);
    process_close(&s->process);
    s->used = false;
}

/* Goes as far as it can; called again by whatever it waits for. */
static void step(struct session *s) {
    struct wire_writer w;
    if (!process_is_gone(&s->process)) return;
    if (s->error.error) {
        if (s->open_tag) reply_error(connection, s->open_tag, &s->error);
        release(s);
        return;
    }
    if (s->wait_tag) {
        message_begin(connection, &w, REQUEST_WAIT_EXEC | MESSAGE_REPLY, s->wait_tag);
        wire_put_i32(&w, 1, child_exit_code(s->process.status));
        s->wait_tag = 0;
        s->forgotten = true;
        message_send(connection, &w);
    }
    /* Its terminal may live on in a process that it left behind. */
    if (s->forgotten && !pump_is_running(&s->output)) release(s);
}

static struct session *of_pump(struct pump *p, size_t offset) { return (struct session *)((char *)p - offset); }

static void on_output_stopped(struct pump *p) {
    struct session *s = of_pump(p, offsetof(struct session, output));
    pump_stop(&s->input); /* with it the last descriptor of the master is closed */
    step(s);
}

static void on_input_stopped(struct pump *p) { (void)p; }

/* ---- the process ---- */

#define OF_PROCESS(p) ((struct session *)((char *)(p) - offsetof(struct session, process)))

static void on_ready(struct process *p) { (void)p; }

static bool output_lasts(const struct pump *p) {
    return !((const struct session *)((const char *)p - offsetof(struct session, output)))->process.ended;
}

static bool input_lasts(const struct pump *p) {
    return !((const struct session *)((const char *)p - offsetof(struct session, input)))->process.ended;
}

static int take_terminal(struct session *s) {
    int master = s->process.handshake.console;
    s->process.handshake.console = -1;
    if (master < 0) {
        errno = ECHILD; /* its builder died before it sent one */
        return -1;
    }
    if (s->with_input && tty_input(&s->input, master, &s->offered[0], on_input_stopped) < 0) {
        close(master);
        return -1;
    }
    if (tty_output(&s->output, master, &s->offered[1], on_output_stopped) < 0) return -1;
    s->output.lasts = output_lasts;
    s->input.lasts = input_lasts;
    return 0;
}

static void on_executed(struct process *p) {
    struct session *s = OF_PROCESS(p);
    struct wire_writer w;
    timer_clear(&s->timer);
    if (s->terminal && take_terminal(s) < 0)
        error_set(&s->error, errno, "exec", "terminal of the process");
    else if (!s->forgotten) {
        s->number = offer_make(s->offered);
        for (unsigned i = 0; i < OFFER_FDS; i++) s->offered[i] = -1;
        if (s->number == 0) error_set(&s->error, EAGAIN, "exec", "too many streams wait to be fetched");
    }
    if (s->error.error || s->forgotten) {
        process_kill_group(p);
    } else {
        message_begin(connection, &w, REQUEST_OPEN_EXEC | MESSAGE_REPLY, s->open_tag);
        wire_put_u32(&w, 1, s->number);
        s->open_tag = 0;
        message_send(connection, &w);
    }
    step(s);
}

static void on_failed(struct process *p, const struct error *err) {
    struct session *s = OF_PROCESS(p);
    s->error = *err;
    if (s->error.error == 0) s->error.error = EIO;
    process_kill(p);
    step(s);
}

static void on_ended(struct process *p) {
    if (!process_is_gone(p)) process_kill(p); /* a builder has nothing left to do when its payload has ended */
    pump_retry(&OF_PROCESS(p)->output);
    step(OF_PROCESS(p));
}

static void on_build_timer(struct timer *timer) {
    struct session *s = (struct session *)((char *)timer - offsetof(struct session, timer));
    error_set(&s->error, ETIMEDOUT, "exec", "process was not built in time");
    process_kill_group(&s->process);
    handshake_end(&s->process.handshake);
    step(s);
}

/* ---- requests ---- */

static int open_pipes(struct session *s, const struct request *r, struct build_io *io) {
    for (unsigned i = 0; i < OFFER_FDS && !s->terminal; i++) {
        int ends[2];
        unsigned ours = i == 0 ? 1 : 0;
        if (!request_u8(r, 3 + i)) continue;
        if (pipe2(ends, O_CLOEXEC) < 0) return -1;
        s->offered[i] = ends[ours];
        io->stdio[i] = ends[1 - ours];
        /* A writer that is not woken for every page; a host at its pipe limit keeps the default. */
        if (i != 2) (void)fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
    }
    return 0;
}

static int build(struct session *s, const struct request *r, struct container *c, struct error *err) {
    struct build_io io = {.stdio = {env->null_fd, env->null_fd, env->null_fd}, .sync = -1, .terminal = s->terminal};
    struct build_process built;
    int pair[2] = {-1, -1};
    int done = -1;
    if (open_pipes(s, r, &io) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        error_set(err, errno, "exec", "pipes of a process in container %s", c->id);
    else {
        io.sync = pair[1];
        done = maker_exec(&c->kept, &r->field[2], env, &io, c->process.pidfd, &built, err);
    }
    for (int i = 0; i < 3; i++)
        if (io.stdio[i] != env->null_fd) close(io.stdio[i]);
    if (pair[1] >= 0) close(pair[1]);
    if (done == 0 && process_begin(&s->process, &built, pair[0], false, s->terminal) < 0) {
        done = error_set(err, errno, "exec", "handshake with a process of container %s", c->id);
        process_kill(&s->process);
    }
    if (done < 0 && pair[0] >= 0) close(pair[0]);
    return done;
}

int stream_exec_open(const struct request *r, struct container *c, struct error *err) {
    struct plan_facts facts;
    struct session *s = sessions;
    if (c->state != CONTAINER_RUNNING) return error_set(err, EBUSY, "exec", "container is not running: %s", c->id);
    if (plan_facts_read(&r->field[2], &facts, err) < 0) return -1;
    while (s < sessions + SESSIONS_MAX && s->used) s++;
    if (s == sessions + SESSIONS_MAX)
        return error_set(err, EAGAIN, "exec", "a pod runs at most %u processes of this kind at once", SESSIONS_MAX);
    memset(s, 0, offsetof(struct session, output));
    process_init(&s->process);
    pump_init(&s->output);
    pump_init(&s->input);
    s->open_tag = r->tag;
    s->terminal = facts.terminal;
    s->with_input = request_u8(r, 3);
    for (unsigned i = 0; i < OFFER_FDS; i++) s->offered[i] = -1;
    s->process.on_ready = on_ready;
    s->process.on_executed = on_executed;
    s->process.on_failed = on_failed;
    s->process.on_ended = on_ended;
    s->used = sessions_used = true;
    if (build(s, r, c, err) < 0) {
        release(s);
        return -1;
    }
    timer_set(&s->timer, BUILD_MS, on_build_timer);
    return 1;
}

static struct session *find(uint32_t number) {
    for (struct session *s = sessions; s < sessions + SESSIONS_MAX; s++)
        if (s->used && s->number == number && number != 0) return s;
    return NULL;
}

void stream_exec_wait(const struct request *r) {
    struct session *s = find(request_u32(r, 1));
    if (!s || s->wait_tag || s->forgotten) {
        reply_errno(connection, r->tag, ESRCH, "wait", "no process with a stream %u", request_u32(r, 1));
        return;
    }
    s->wait_tag = r->tag;
    step(s);
}

int stream_exec_resize(const struct request *r, struct container *c, struct error *err) {
    uint32_t number = request_u32(r, 2), width = request_u32(r, 3), height = request_u32(r, 4);
    if (number == 0) return container_resize(c, width, height, err);
    struct session *s = find(number);
    /* Of a process that has ended meanwhile there is nothing to resize. */
    if (!s || !pump_is_running(&s->output)) return 0;
    if (tty_resize(s->output.from.fd, width, height) == 0) return 0;
    return error_set(err, errno, "resize", "terminal of %u x %u", width, height);
}

void stream_exec_forget(void) {
    for (struct session *s = sessions; s < sessions + SESSIONS_MAX; s++) {
        if (!s->used) continue;
        s->forgotten = true;
        s->open_tag = s->wait_tag = 0;
        step(s);
    }
}
