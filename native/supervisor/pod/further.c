#include "pod/further.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/member.h"
#include "pod/maker.h"

#define BUILD_MS 10000
#define PIPE_BYTES (256 << 10)

static const struct build_env *env;

void further_init(const struct build_env *the_env) { env = the_env; }

int further_check(const struct wire_bytes *plan, const struct container *c, bool free_slot, struct plan_facts *facts,
                  struct error *err) {
    if (c->state != CONTAINER_RUNNING) return error_set(err, EBUSY, "exec", "container is not running: %s", c->id);
    if (!free_slot)
        return error_set(err, EAGAIN, "exec", "a pod runs at most %u processes of this kind at once", FURTHER_MAX);
    return plan_facts_read(plan, facts, err);
}

struct build_io further_io(void) {
    return (struct build_io){.stdio = {env->null_fd, env->null_fd, env->null_fd}, .sync = -1};
}

int further_pipe(struct build_io *io, int fd) {
    int ends[2], ours = fd == 0;
    if (pipe2(ends, O_CLOEXEC) < 0) return -1;
    io->stdio[fd] = ends[1 - ours];
    /* A writer that is not woken for every page; a host at its pipe limit keeps the default. */
    if (fd != 2) (void)fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
    return ends[ours];
}

/* ---- events of the process ---- */

static struct further *of_process(struct process *p) { return container_of(p, struct further, process); }

static void on_ready(struct process *p) { (void)p; }

static void on_deadline(struct timer *timer) {
    struct further *f = container_of(timer, struct further, timer);
    if (f->process.ended && !process_is_gone(&f->process)) {
        process_kill(&f->process);
        return;
    }
    f->timed_out = f->deadline && loop_now_ms() >= f->deadline;
    if (!f->timed_out) error_set(&f->error, ETIMEDOUT, "exec", "process was not built in time");
    process_kill_group(&f->process);
    handshake_end(&f->process.handshake);
    f->on_changed(f);
}

static void on_executed(struct process *p) {
    struct further *f = of_process(p);
    timer_clear(&f->timer);
    if (f->deadline) timer_set(&f->timer, f->deadline - loop_now_ms(), on_deadline);
    f->on_executed(f);
}

static void on_failed(struct process *p, const struct error *err) {
    struct further *f = of_process(p);
    f->error = *err;
    if (f->error.error == 0) f->error.error = EIO;
    process_kill(p);
    f->on_changed(f);
}

static void on_ended(struct process *p) {
    struct further *f = of_process(p);
    if (process_is_gone(p))
        timer_clear(&f->timer);
    else
        process_kill(p); /* a builder has nothing left to do when its payload has ended */
    f->on_changed(f);
}

/* ---- beginning and end ---- */

static int start(struct further *f, const struct wire_bytes *plan, struct container *c, struct build_io *io,
                 struct error *err) {
    struct build_process built;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_set(err, errno, "exec", "socket of a process in container %s", c->id);
    io->sync = pair[1];
    int done = maker_exec(&c->kept, plan, env, io, c->process.pidfd, &built, err);
    close(pair[1]);
    if (done == 0 && process_begin(&f->process, &built, pair[0], false, io->terminal) < 0) {
        done = error_set(err, errno, "exec", "handshake with a process of container %s", c->id);
        process_kill(&f->process);
        process_close(&f->process);
    }
    if (done < 0) close(pair[0]);
    return done;
}

int further_begin(struct further *f, const struct wire_bytes *plan, struct container *c, struct build_io *io, int piped,
                  struct error *err) {
    int done = piped < 0 ? error_set(err, errno, "exec", "pipes of a process in container %s", c->id) : 0;
    process_init(&f->process);
    f->process.on_ready = on_ready;
    f->process.on_executed = on_executed;
    f->process.on_failed = on_failed;
    f->process.on_ended = on_ended;
    if (done == 0) done = start(f, plan, c, io, err);
    for (int i = 0; i < 3; i++)
        if (io->stdio[i] != env->null_fd) close(io->stdio[i]);
    if (done < 0) return -1;
    int64_t left = f->deadline ? f->deadline - loop_now_ms() : BUILD_MS;
    timer_set(&f->timer, left < BUILD_MS ? left : BUILD_MS, on_deadline);
    return 0;
}

void further_release(struct further *f) {
    timer_clear(&f->timer);
    process_close(&f->process);
}
