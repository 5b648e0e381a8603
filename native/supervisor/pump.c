#include "pump.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

void pump_init(struct pump *p) { p->from.fd = p->to.fd = -1; }

bool pump_is_running(const struct pump *p) { return p->to.fd >= 0; }

void pump_stop(struct pump *p) {
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

static void on_from(struct source *source, uint32_t events) {
    struct pump *p = (struct pump *)((char *)source - offsetof(struct pump, from));
    (void)events;
    ssize_t n = read(source->fd, p->data, sizeof p->data);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    /* A pty's master answers EIO when the last descriptor of its slave is closed. */
    if (n <= 0) {
        finish(p);
        return;
    }
    p->start = 0;
    p->end = (uint32_t)n;
    if (!send_rest(p)) finish(p);
}

static void on_to(struct source *source, uint32_t events) {
    struct pump *p = (struct pump *)((char *)source - offsetof(struct pump, to));
    if (events & (EPOLLERR | EPOLLHUP) || !send_rest(p)) finish(p);
}

int pump_start(struct pump *p, int from, int to, void (*stopped)(struct pump *)) {
    pump_init(p);
    p->start = p->end = 0;
    p->stopped = stopped;
    if (loop_add(&p->from, from, EPOLLIN, on_from) == 0 && loop_add(&p->to, to, 0, on_to) == 0) return 0;
    int error = errno;
    if (p->from.fd < 0) close(from);
    if (p->to.fd < 0) close(to);
    pump_stop(p);
    errno = error;
    return -1;
}
