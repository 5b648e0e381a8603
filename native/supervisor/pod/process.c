#include "pod/process.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/kernel.h"
#include "base/member.h"

void process_init(struct process *p) {
    *p = (struct process){.pidfd = -1};
    p->handshake.source.fd = -1;
    p->handshake.console = -1;
}

static void end(struct process *p, int status) {
    if (!p->ended) {
        p->ended = true;
        p->status = status;
    }
    p->on_ended(p);
}

/* A builder that lets an external runtime start the process is still at it when a short process has ended: its word comes first. */
static bool is_still_being_started(const struct process *p) {
    return p->builder.pid > 0 && handshake_is_open(&p->handshake) && (p->handshake.released || !p->handshake.create);
}

static void payload_ended(struct child *child, int status) {
    struct process *p = container_of(child, struct process, payload);
    handshake_drain(&p->handshake); /* what it said comes before its end */
    p->payload_ended = true;
    p->status = status;
    if (!is_still_being_started(p)) end(p, status);
}

static void builder_ended(struct child *child, int status) {
    struct process *p = container_of(child, struct process, builder);
    bool ended = p->ended;
    handshake_drain(&p->handshake);
    if (!p->handshake.payload)
        end(p, status);
    else if (ended)
        p->on_ended(p);
    else if (p->payload_ended)
        end(p, p->status);
}

static void payload_named(struct handshake *h) {
    struct process *p = container_of(h, struct process, handshake);
    p->pid = h->pid;
    child_watch(&p->payload, h->pid, payload_ended);
    if (p->pidfd >= 0) close(p->pidfd);
    p->pidfd = (int)syscall(NR_pidfd_open, h->pid, 0);
}

static void hooks_due(struct handshake *h) {
    struct process *p = container_of(h, struct process, handshake);
    p->on_hooks(p);
}

static void ready(struct handshake *h) {
    struct process *p = container_of(h, struct process, handshake);
    p->on_ready(p);
}

static void executed(struct handshake *h) {
    struct process *p = container_of(h, struct process, handshake);
    p->on_executed(p);
}

static void failed(struct handshake *h) {
    struct process *p = container_of(h, struct process, handshake);
    p->on_failed(p, &h->error);
}

int process_begin(struct process *p, const struct build_process *built, int sync, bool create, bool terminal) {
    p->pid = built->builder;
    p->pidfd = built->pidfd;
    p->ended = false;
    p->handshake.on_hooks = p->on_hooks ? hooks_due : NULL;
    p->handshake.on_payload = payload_named;
    p->handshake.on_ready = ready;
    p->handshake.on_executed = executed;
    p->handshake.on_failed = failed;
    child_watch(&p->builder, built->builder, builder_ended);
    return handshake_begin(&p->handshake, sync, built->builder, create, terminal);
}

void process_kill(struct process *p) {
    /* A child that is watched has not been reaped: its number is still its own. */
    if (p->builder.pid > 0) kill(p->builder.pid, SIGKILL);
    if (p->payload.pid > 0) kill(p->payload.pid, SIGKILL);
}

void process_kill_group(struct process *p) {
    if (!p->ended && !p->payload_ended && p->pid > 1) kill(-p->pid, SIGKILL);
    process_kill(p);
}

bool process_is_gone(const struct process *p) { return p->ended && p->builder.pid == 0 && p->payload.pid == 0; }

void process_close(struct process *p) {
    handshake_end(&p->handshake);
    child_forget(&p->builder);
    child_forget(&p->payload);
    if (p->pidfd >= 0) close(p->pidfd);
    p->pidfd = -1;
}
