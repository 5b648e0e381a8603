#include "pod/container.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/kernel.h"
#include "base/member.h"
#include "base/unshared.h"
#include "build/env.h"
#include "pod/verify.h"
#include "cgroup/end.h"
#include "plan/kept_plan.h"
#include "pod/maker.h"
#include "pod/attach.h"
#include "pod/container_io.h"
#include "pod/death.h"
#include "pod/exit_record.h"
#include "pod/placeholder.h"
#include "runtime/runtime.h"

#define DRAIN_MS 2000
#define DELETE_MS 10000
#define REMOVE_MS 5000
#define REMOVE_RETRY_MS 10
#define EXIT_START_FAILED 128

enum event { EVENT_HOOKS, EVENT_READY, EVENT_EXECUTED, EVENT_FAILED, EVENT_ENDED, EVENT_TIMEOUT, EVENTS };

struct container_deadlines container_deadlines = {.create_ms = 30000, .start_ms = 10000};

static struct container containers[CONTAINERS_MAX] UNSHARED;
static unsigned in_use; /* the slots from here on have never been used */
static struct container_host *host;

static void dispatch(struct container *c, enum event event);

void container_init(struct container_host *the_host) {
    host = the_host;
    UNSHARE_ARRAY(containers);
    container_io_unshare();
    log_init();
}

struct container *container_next(struct container *after) {
    for (struct container *c = after ? after + 1 : containers; c < containers + in_use; c++)
        if (c->state != CONTAINER_FREE) return c;
    return NULL;
}

struct container *container_find(const char *id) {
    for (struct container *c = container_next(NULL); c; c = container_next(c))
        if (strcmp(c->id, id) == 0) return c;
    return NULL;
}

static struct container *allocate(void) {
    unsigned i = 0;
    while (i < in_use && containers[i].state != CONTAINER_FREE) i++;
    if (i == CONTAINERS_MAX) return NULL;
    if (i == in_use) in_use++;
    return &containers[i];
}

bool container_is_live(const struct container *c) { return c->state != CONTAINER_FREE && c->state != CONTAINER_EXITED; }

bool container_any_is_live(void) {
    struct container *c = container_next(NULL);
    while (c && !container_is_live(c)) c = container_next(c);
    return c != NULL;
}

void container_forget_tags(void) {
    for (struct container *c = container_next(NULL); c; c = container_next(c)) c->create_tag = c->start_tag = 0;
}

/* ---- events of the process ---- */

static struct container *of_process(struct process *p) { return container_of(p, struct container, process); }

static void on_hooks(struct process *p) { dispatch(of_process(p), EVENT_HOOKS); }
static void on_ready(struct process *p) { dispatch(of_process(p), EVENT_READY); }
static void on_executed(struct process *p) { dispatch(of_process(p), EVENT_EXECUTED); }
static void on_ended(struct process *p) { dispatch(of_process(p), EVENT_ENDED); }

static void on_failed(struct process *p, const struct error *err) {
    struct container *c = of_process(p);
    if (c->error.error == 0) c->error = *err;
    dispatch(c, EVENT_FAILED);
}

static void on_timer(struct timer *timer) { dispatch(container_of(timer, struct container, timer), EVENT_TIMEOUT); }

/* ---- ending ---- */

static void finish(struct container *c) {
    timer_clear(&c->timer);
    process_close(&c->process);
    kept_plan_release(&c->kept);
    if (c->create_failed) {
        if (c->error.error == 0) death_explain(c);
        c->state = CONTAINER_FREE;
        host->on_created(c, c->create_tag);
    } else {
        char message[sizeof c->error.detail];
        struct error err;
        snprintf(message, sizeof message, "%s", c->error.error ? c->error.detail : "");
        struct exit_record record = {c->id, c->exit_code, c->oom, c->started_at, c->exited_at, message};
        c->state = CONTAINER_EXITED;
        /* A record that cannot be written (state directory full or gone) is not the end: LIST and EXITED still tell. */
        exit_record_write(host->directory, &record, &err);
        if (c->start_tag) host->on_started(c, c->start_tag);
        c->start_tag = 0;
        host->on_exited(c);
    }
    host->on_gone();
}

static void remove_cgroup(struct container *c) {
    if (c->remove_until == 0) c->remove_until = loop_now_ms() + REMOVE_MS;
    if (cgroup_remove(&c->kept) == 0 || loop_now_ms() >= c->remove_until) {
        finish(c);
        return;
    }
    cgroup_kill(&c->kept); /* a process that forked while it was being killed */
    timer_set(&c->timer, REMOVE_RETRY_MS, on_timer);
}

static void deleted(struct child *child, int status) {
    (void)status; /* what it leaves behind lies in the pod's directory and goes with it */
    dispatch(container_of(child, struct container, deletion), EVENT_ENDED);
}

/* True when an external runtime has forgotten the container, or there is none. */
static bool runtime_is_done(struct container *c) {
    if (c->deleting) {
        if (c->deletion.pid > 0 && loop_now_ms() >= c->delete_until) kill(c->deletion.pid, SIGKILL);
        return c->deletion.pid == 0;
    }
    c->deleting = true;
    pid_t pid = runtime_delete(&c->kept, host->env.null_fd);
    if (pid <= 0) return true;
    child_watch(&c->deletion, pid, deleted);
    c->delete_until = loop_now_ms() + DELETE_MS;
    timer_set(&c->timer, DELETE_MS, on_timer);
    return false;
}

/* Outputs that still wait for somebody attached are read once more without whoever has not kept up: the others get everything. */
static bool leave_behind(struct container *c) {
    if (c->left_behind || !container_io_waits(c)) return false;
    c->left_behind = true;
    c->drain_until = loop_now_ms() + DRAIN_MS;
    timer_set(&c->timer, DRAIN_MS, on_timer);
    attach_leave_behind(c);
    return true;
}

/* Goes as far as it can; called again by whatever it waits for. */
static void ending_step(struct container *c) {
    if (!process_is_gone(&c->process)) {
        process_kill(&c->process);
        timer_set(&c->timer, DRAIN_MS, on_timer);
        return;
    }
    if (!c->killed) {
        c->killed = true;
        c->oom = oom_end(c); /* first: systemd removes what the kill empties */
        cgroup_kill(&c->kept);
        c->drain_until = loop_now_ms() + DRAIN_MS;
    }
    int64_t left = c->drain_until - loop_now_ms();
    if (left > 0 && container_io_is_open(c)) {
        timer_set(&c->timer, left, on_timer);
        return;
    }
    if (leave_behind(c)) return;
    container_io_finish(c);
    if (runtime_is_done(c)) remove_cgroup(c);
}

static void begin_ending(struct container *c) {
    c->state = CONTAINER_ENDING;
    c->killed = c->left_behind = c->deleting = false;
    c->drain_until = c->remove_until = 0;
    c->exited_at = clock_now_ns();
    if (c->process.ended) c->exit_code = child_exit_code(c->process.status);
    if (c->error.error) c->exit_code = EXIT_START_FAILED;
    handshake_end(&c->process.handshake);
    timer_clear(&c->timer);
    if (!c->process.ended) cgroup_kill(&c->kept);
    container_io_ending(c);
    if (c->state == CONTAINER_ENDING) ending_step(c);
}

/* ---- state × event ---- */

static void create_failed(struct container *c) {
    c->create_failed = true; /* who has not said why has died: how is known when it is reaped */
    begin_ending(c);
}

static void create_timed_out(struct container *c) {
    error_set(&c->error, ETIMEDOUT, "build", "container was not built within %d ms: %s",
              (int)container_deadlines.create_ms + (int)c->hooks_create_ms, c->id);
    create_failed(c);
}

static void await(struct container *c) {
    c->awaiting = true;
    host->on_creating(c);
}

static void created(struct container *c) {
    struct error err = {0};
    bool good = false;
    if (c->process.handshake.console >= 0 && container_io_console(c) < 0)
        error_set(&err, errno, "terminal", "terminal of container %s", c->id);
    else if (c->process.pidfd < 0)
        error_set(&err, ESRCH, "build", "process of container %s", c->id);
    else if (process_verify(&c->kept, &host->env, c->filtered, c->process.pid, &err))
        good = log_open(&c->log, &err) == 0; /* last, so that a failed creation leaves no file */
    if (!good) {
        c->error = err;
        if (err.error == 0) error_set(&c->error, EPERM, "build", "process differs from its plan: container %s", c->id);
        create_failed(c);
        return;
    }
    timer_clear(&c->timer);
    c->state = CONTAINER_CREATED;
    c->created_at = clock_now_ns();
    host->on_created(c, c->create_tag);
    c->create_tag = 0;
}

static void started(struct container *c) {
    timer_clear(&c->timer);
    c->state = CONTAINER_RUNNING;
    c->started_at = clock_now_ns();
    host->on_started(c, c->start_tag);
    c->start_tag = 0;
}

static void start_failed(struct container *c) {
    if (c->error.error == 0)
        error_set(&c->error, ECANCELED, "exec", "process ended before its program began: container %s", c->id);
    begin_ending(c);
}

static void start_timed_out(struct container *c) {
    error_set(&c->error, ETIMEDOUT, "exec", "program did not begin within %d ms: container %s",
              (int)container_deadlines.start_ms + (int)c->hooks_start_ms, c->id);
    begin_ending(c);
}

/* Killed before it was started: its handshake ends first, how it died is told by its end. */
static void wait_for_end(struct container *c) {
    c->error.error = 0;
    process_kill(&c->process);
}

static void nothing(struct container *c) { (void)c; }

static void (*const actions[CONTAINER_STATES][EVENTS])(struct container *) = {
    /*                      HOOKS    READY    EXECUTED       FAILED         ENDED          TIMEOUT */
    [CONTAINER_FREE] = {nothing, nothing, nothing, nothing, nothing, nothing},
    [CONTAINER_CREATING] = {await, created, create_failed, create_failed, create_failed, create_timed_out},
    [CONTAINER_CREATED] = {nothing, nothing, wait_for_end, wait_for_end, begin_ending, nothing},
    [CONTAINER_STARTING] = {nothing, nothing, started, start_failed, start_failed, start_timed_out},
    [CONTAINER_RUNNING] = {nothing, nothing, nothing, nothing, begin_ending, nothing},
    [CONTAINER_ENDING] = {nothing, nothing, nothing, nothing, ending_step, ending_step},
    [CONTAINER_EXITED] = {nothing, nothing, nothing, nothing, nothing, nothing},
};

static void dispatch(struct container *c, enum event event) { actions[c->state][event](c); }

void container_io_closed(struct container *c) {
    if (c->state == CONTAINER_ENDING) ending_step(c);
}

/* ---- requests ---- */

static void discard(struct container *c) {
    container_io_discard(c);
    process_close(&c->process);
    kept_plan_release(&c->kept);
    c->state = CONTAINER_FREE;
}

static int build(struct container *c, const struct wire_bytes *plan, const struct plan_facts *facts, bool with_stdin,
                 struct error *err) {
    int target = -1;
    if (facts->target) {
        struct container *other = container_find(facts->target_id);
        if (!other || (other->state != CONTAINER_RUNNING && other->state != CONTAINER_CREATED))
            return error_set(err, ESRCH, "namespaces", "target container is not running: %s", facts->target_id);
        target = other->process.pidfd;
    }
    struct build_io io;
    struct build_process built;
    int sync;
    if (container_io_open(c, facts->terminal, with_stdin, host->env.null_fd, &io, &sync, err) < 0) return -1;
    int done = maker_container(plan, &host->env, &io, target, &built, err);
    container_io_close_theirs(&io, host->env.null_fd);
    if (done < 0) {
        close(sync);
        return -1;
    }
    if (process_begin(&c->process, &built, sync, true, facts->terminal) == 0) return 0;
    /* No place in the loop: the builder is on its own and gets an end of file instead of GO. */
    error_set(err, errno, "build", "handshake of container %s", c->id);
    close(sync);
    process_kill(&c->process);
    cgroup_kill(&c->kept);
    cgroup_remove(&c->kept);
    return -1;
}

int container_create(const struct request *r, const char *id, struct error *err) {
    struct plan_facts facts;
    if (container_find(id)) return error_set(err, EEXIST, "create", "container %s", id);
    if (plan_facts_read(&r->field[FIELD_CREATE_PLAN], &facts, err) < 0) return -1;
    struct container *c = allocate();
    if (!c) return error_set(err, ENFILE, "create", "a pod holds at most %u containers", CONTAINERS_MAX);
    memset(c, 0, offsetof(struct container, log));
    snprintf(c->id, sizeof c->id, "%s", id);
    c->state = CONTAINER_CREATING;
    c->create_tag = r->tag;
    c->stdin_once = request_u8(r, FIELD_CREATE_STDIN_ONCE);
    c->terminal = facts.terminal;
    c->filtered = facts.filtered;
    c->hooks_create_ms = facts.hooks_create_ms;
    c->hooks_start_ms = facts.hooks_start_ms;
    process_init(&c->process);
    c->process.on_hooks = on_hooks;
    c->process.on_ready = on_ready;
    c->process.on_executed = on_executed;
    c->process.on_failed = on_failed;
    c->process.on_ended = on_ended;
    container_io_init(c, (size_t)(c - containers));
    int done = 0;
    if (!request_string(r, FIELD_CREATE_LOG_PATH, c->log.path, sizeof c->log.path))
        done = error_set(err, ENAMETOOLONG, "log", "log path of container %s", id);
    if (done == 0 && kept_plan_live(&r->field[FIELD_CREATE_PLAN], &c->kept) < 0)
        done = error_set(err, ENOMEM, "create", "plan of container %s", id);
    if (done == 0) done = build(c, &r->field[FIELD_CREATE_PLAN], &facts, request_u8(r, FIELD_CREATE_STDIN), err);
    placeholder_end(id); /* the container is in its cgroup now, or never will be */
    if (done < 0) {
        discard(c);
        return -1;
    }
    oom_begin(c);
    timer_set(&c->timer, container_deadlines.create_ms + c->hooks_create_ms, on_timer);
    return 0;
}

int container_continue(struct container *c, bool failed, struct error *err) {
    if (c->state != CONTAINER_CREATING || !c->awaiting)
        return error_set(err, EBUSY, "continue", "nothing is awaited by container %s", c->id);
    c->awaiting = false;
    if (failed) error_set(&c->error, ECANCELED, "hook", "a hook of container %s", c->id);
    if (failed || handshake_continue(&c->process.handshake) < 0) create_failed(c);
    return 0;
}

int container_start(struct container *c, uint32_t tag, struct error *err) {
    if (c->state != CONTAINER_CREATED)
        return error_set(err, EBUSY, "start", "container is not in state created: %s", c->id);
    c->state = CONTAINER_STARTING;
    c->start_tag = tag;
    timer_set(&c->timer, container_deadlines.start_ms + c->hooks_start_ms, on_timer);
    if (handshake_release(&c->process.handshake) < 0) start_failed(c);
    return 0;
}

int container_signal(struct container *c, int signal, struct error *err) {
    if (c->state == CONTAINER_EXITED || c->state == CONTAINER_ENDING) return 0;
    if (syscall(SYS_pidfd_send_signal, c->process.pidfd, signal, NULL, 0) < 0 && errno != ESRCH)
        return error_set(err, errno, "signal", "signal %d to container %s", signal, c->id);
    cgroup_thaw(&c->kept); /* a paused container could not hear it */
    return 0;
}

void container_kill(struct container *c) {
    if (!container_is_live(c)) return;
    process_kill(&c->process);
    cgroup_kill(&c->kept);
}

void container_remove(struct container *c) {
    exit_record_remove(host->directory, c->id);
    c->state = CONTAINER_FREE;
}
