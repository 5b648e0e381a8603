#include "pod/stream_exec.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/give_back.h"
#include "base/member.h"
#include "base/unshared.h"
#include "loop/offer.h"
#include "loop/tty.h"
#include "plan/kept_plan.h"
#include "pod/further.h"

struct session {
    bool used;
    bool terminal, with_input;
    bool forgotten; /* nobody will ask for its end */
    uint32_t number;
    uint32_t open_tag, wait_tag; /* 0: nobody waits for the answer */
    struct further further;
    int offered[OFFER_FDS];
    struct pump output, input; /* of a terminal */
} __attribute__((aligned(32)));

static struct session sessions[FURTHER_MAX] UNSHARED;
static unsigned in_use; /* the slots from here on have not been touched since their memory was last given back */
static struct connection *connection;

void stream_exec_init(struct connection *the_connection) {
    connection = the_connection;
    UNSHARE_ARRAY(sessions);
}

void stream_exec_idle(void) {
    for (const struct session *s = sessions; s < sessions + in_use; s++)
        if (s->used) return;
    if (in_use) give_back(sessions, sizeof sessions); /* zeros are free slots */
    in_use = 0;
}

static void close_offered(struct session *s) {
    for (unsigned i = 0; i < OFFER_FDS; i++) {
        if (s->offered[i] >= 0) close(s->offered[i]);
        s->offered[i] = -1;
    }
}

static void release(struct session *s) {
    pump_stop(&s->output);
    pump_stop(&s->input);
    close_offered(s);
    further_release(&s->further);
    s->used = false;
}

/* Its client is gone, and it did not go along: it keeps no place that somebody else could have. Whoever it is reaped by needs no name for it. */
static bool runs_on_its_own(const struct session *s) {
    return s->forgotten && s->number != 0 && !pump_is_running(&s->output);
}

/* Goes as far as it can; called again by whatever it waits for. */
static void step(struct session *s) {
    struct wire_writer w;
    if (runs_on_its_own(s)) {
        release(s);
        return;
    }
    if (!process_is_gone(&s->further.process)) return;
    if (s->further.error.error) {
        if (s->open_tag) reply_error(connection, s->open_tag, &s->further.error);
        release(s);
        return;
    }
    if (s->wait_tag) {
        message_begin(connection, &w, REQUEST_WAIT_EXEC | MESSAGE_REPLY, s->wait_tag);
        wire_put_i32(&w, FIELD_WAIT_EXEC_REPLY_EXIT_CODE, child_exit_code(s->further.process.status));
        s->wait_tag = 0;
        s->forgotten = true;
        message_send(connection, &w);
    }
    /* Its terminal may live on in a process that it left behind. */
    if (s->forgotten && !pump_is_running(&s->output)) release(s);
}

static void on_output_stopped(struct pump *p) {
    struct session *s = container_of(p, struct session, output);
    pump_stop(&s->input); /* with it the last descriptor of the master is closed */
    step(s);
}

static void on_input_stopped(struct pump *p) { (void)p; }

/* ---- the process ---- */

static bool output_lasts(const struct pump *p) {
    return !container_of(p, const struct session, output)->further.process.ended;
}

static bool input_lasts(const struct pump *p) {
    return !container_of(p, const struct session, input)->further.process.ended;
}

static int take_terminal(struct session *s) {
    int master = s->further.process.handshake.console;
    s->further.process.handshake.console = -1;
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

static void on_executed(struct further *f) {
    struct session *s = container_of(f, struct session, further);
    struct wire_writer w;
    if (s->terminal && take_terminal(s) < 0)
        error_set(&s->further.error, errno, "exec", "terminal of the process");
    else if (!s->forgotten) {
        s->number = offer_make(s->offered);
        for (unsigned i = 0; i < OFFER_FDS; i++) s->offered[i] = -1;
        if (s->number == 0) error_set(&s->further.error, EAGAIN, "exec", "too many streams wait to be fetched");
    }
    if (s->further.error.error || s->forgotten) {
        process_kill_group(&f->process);
    } else {
        message_begin(connection, &w, REQUEST_OPEN_EXEC | MESSAGE_REPLY, s->open_tag);
        wire_put_u32(&w, FIELD_OPEN_EXEC_REPLY_SESSION, s->number);
        s->open_tag = 0;
        message_send(connection, &w);
    }
    step(s);
}

static void on_changed(struct further *f) {
    struct session *s = container_of(f, struct session, further);
    if (f->process.ended) pump_retry(&s->output);
    step(s);
}

/* ---- requests ---- */

static int open_pipes(struct session *s, const struct request *r, struct build_io *io) {
    for (int i = 0; i < (int)OFFER_FDS && !s->terminal; i++)
        if (request_u8(r, FIELD_OPEN_EXEC_STDIN + (unsigned)i) && (s->offered[i] = further_pipe(io, i)) < 0) return -1;
    return 0;
}

static struct session *allocate(void) {
    for (struct session *s = sessions; s < sessions + in_use; s++)
        if (!s->used) return s;
    return in_use < FURTHER_MAX ? &sessions[in_use++] : NULL;
}

int stream_exec_open(const struct request *r, struct container *c, struct error *err) {
    struct plan_facts facts;
    struct session *s = allocate();
    if (further_check(&r->field[FIELD_OPEN_EXEC_PLAN], c, s != NULL, &facts, err) < 0) return -1;
    memset(s, 0, offsetof(struct session, output));
    pump_init(&s->output);
    pump_init(&s->input);
    s->open_tag = r->tag;
    s->terminal = facts.terminal;
    s->with_input = request_u8(r, FIELD_OPEN_EXEC_STDIN);
    for (unsigned i = 0; i < OFFER_FDS; i++) s->offered[i] = -1;
    s->further.on_executed = on_executed;
    s->further.on_changed = on_changed;
    struct build_io io = further_io();
    io.terminal = s->terminal;
    int done = open_pipes(s, r, &io);
    if (further_begin(&s->further, &r->field[FIELD_OPEN_EXEC_PLAN], c, &io, done, err) < 0) {
        close_offered(s);
        return -1;
    }
    s->used = true;
    return 1;
}

static struct session *find(uint32_t number) {
    for (struct session *s = sessions; s < sessions + in_use; s++)
        if (s->used && s->number == number && number != 0) return s;
    return NULL;
}

void stream_exec_wait(const struct request *r) {
    struct session *s = find(request_u32(r, FIELD_WAIT_EXEC_SESSION));
    if (!s || s->wait_tag || s->forgotten) {
        reply_errno(connection, r->tag, ESRCH, "wait", "no process with a stream %u",
                    request_u32(r, FIELD_WAIT_EXEC_SESSION));
        return;
    }
    s->wait_tag = r->tag;
    step(s);
}

int stream_exec_resize(const struct request *r, struct container *c, struct error *err) {
    uint32_t number = request_u32(r, FIELD_RESIZE_SESSION), width = request_u32(r, FIELD_RESIZE_WIDTH),
             height = request_u32(r, FIELD_RESIZE_HEIGHT);
    if (number == 0) return container_resize(c, width, height, err);
    struct session *s = find(number);
    /* Of a process that has ended meanwhile there is nothing to resize. */
    if (!s || !pump_is_running(&s->output)) return 0;
    if (tty_resize(s->output.from.fd, width, height) == 0) return 0;
    return error_set(err, errno, "resize", "terminal of %u x %u", width, height);
}

static void forget(struct session *s) {
    s->forgotten = true;
    s->open_tag = s->wait_tag = 0;
    step(s);
}

void stream_exec_forget(const struct request *r) {
    struct session *s = find(request_u32(r, FIELD_FORGET_EXEC_SESSION));
    if (s && s->wait_tag) reply_errno(connection, s->wait_tag, ECANCELED, "wait", "nobody waits for it any more");
    if (s) forget(s);
    reply_empty(connection, r->type, r->tag);
}

void stream_exec_forget_all(void) {
    for (struct session *s = sessions; s < sessions + in_use; s++)
        if (s->used) forget(s);
}
