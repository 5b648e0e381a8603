#include "loop/pump.h"

#include <errno.h>
#include <unistd.h>

#include "base/member.h"
#include "loop/tty.h"

void pump_init(struct pump *p) { p->from.fd = p->to.fd = -1; }

bool pump_is_running(const struct pump *p) { return p->to.fd >= 0; }

void pump_stop(struct pump *p) {
    timer_clear(&p->timer);
    loop_close(&p->from);
    loop_close(&p->to);
}

static void finish(struct pump *p) {
    pump_stop(p);
    p->stopped(p);
}

/* False when the receiver is gone. */
static bool send_rest(struct pump *p) {
    while (p->start < p->end) {
        ssize_t n = write(p->to.fd, p->data + p->start, p->end - p->start);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) return false;
        p->start += (uint32_t)n;
    }
    bool waiting = p->start < p->end;
    loop_want(&p->to, waiting ? EPOLLOUT : 0);
    if (!waiting) return loop_resume(&p->from) == 0;
    loop_pause(&p->from);
    return true;
}

static void look_again(struct pump *p) {
    bool waiting = p->start < p->end; /* for room: nothing more is read */
    if (loop_resume(&p->to) < 0 || (!waiting && loop_resume(&p->from) < 0)) finish(p);
}

void pump_retry(struct pump *p) {
    if (p->timer.at == 0) return;
    timer_clear(&p->timer);
    look_again(p);
}

static void on_hangup_over(struct timer *timer) { look_again(container_of(timer, struct pump, timer)); }

/* True when the terminal at one end, which nobody has open, may be opened again. */
static bool waits_for_terminal(struct pump *p) {
    if (!p->lasts || !p->lasts(p)) return false;
    loop_pause(&p->from);
    loop_pause(&p->to);
    timer_set(&p->timer, TTY_HANGUP_MS, on_hangup_over);
    return true;
}

static void on_from(struct source *source, uint32_t events) {
    struct pump *p = container_of(source, struct pump, from);
    (void)events;
    ssize_t n = read(source->fd, p->data, sizeof p->data);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    /* A pty's master answers EIO while nobody has its slave open. */
    if (n < 0 && errno == EIO && waits_for_terminal(p)) return;
    if (n <= 0) {
        finish(p);
        return;
    }
    p->start = 0;
    p->end = (uint32_t)n;
    if (!send_rest(p)) finish(p);
}

static void on_to(struct source *source, uint32_t events) {
    struct pump *p = container_of(source, struct pump, to);
    if (!(events & EPOLLERR) && events & EPOLLHUP && waits_for_terminal(p)) return;
    if (events & (EPOLLERR | EPOLLHUP) || !send_rest(p)) finish(p);
}

int pump_start(struct pump *p, int from, int to, void (*stopped)(struct pump *)) {
    pump_init(p);
    p->start = p->end = 0;
    p->stopped = stopped;
    p->lasts = NULL;
    if (loop_add(&p->from, from, EPOLLIN, on_from) == 0 && loop_add(&p->to, to, 0, on_to) == 0) return 0;
    int error = errno;
    if (p->from.fd < 0) close(from);
    if (p->to.fd < 0) close(to);
    pump_stop(p);
    errno = error;
    return -1;
}
