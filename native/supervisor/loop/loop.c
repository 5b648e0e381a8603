#include "loop/loop.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#define IDLE_MS 1000
#define ROUND 16

static int epoll_fd = -1;
static bool stopped;
static uint32_t round_now;
static struct timer *timers;
static void (*on_idle)(void);

void loop_leave(void) {
    if (epoll_fd >= 0) close(epoll_fd);
    epoll_fd = -1;
}

int loop_init(void) {
    loop_leave();
    timers = NULL;
    stopped = false;
    on_idle = NULL;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_fd < 0 ? -1 : 0;
}

int loop_add(struct source *source, int fd, uint32_t events, void (*ready)(struct source *, uint32_t)) {
    *source = (struct source){.fd = fd, .events = events, .round = round_now, .ready = ready};
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) return 0;
    source->fd = -1;
    return -1;
}

void loop_want(struct source *source, uint32_t events) {
    if (source->fd < 0 || source->events == events) return;
    source->events = events;
    if (source->paused) return;
    struct epoll_event event = {.events = events, .data.ptr = source};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
}

void loop_pause(struct source *source) {
    if (source->fd < 0 || source->paused) return;
    source->paused = true;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

int loop_resume(struct source *source) {
    if (source->fd < 0 || !source->paused) return 0;
    source->paused = false;
    source->round = round_now;
    struct epoll_event event = {.events = source->events, .data.ptr = source};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, source->fd, &event);
}

int loop_release(struct source *source) {
    int fd = source->fd;
    /* Explicit, because another process may hold a duplicate: closing alone would leave the registration alive. */
    if (fd >= 0) epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    source->fd = -1;
    return fd;
}

void loop_close(struct source *source) {
    int fd = loop_release(source);
    if (fd >= 0) close(fd);
}

void timer_set(struct timer *timer, int64_t in_ms, void (*fire)(struct timer *)) {
    timer_clear(timer);
    timer->at = loop_now_ms() + (in_ms > 0 ? in_ms : 0);
    timer->fire = fire;
    timer->prev = NULL;
    timer->next = timers;
    if (timers) timers->prev = timer;
    timers = timer;
}

void timer_clear(struct timer *timer) {
    if (timer->at == 0) return;
    timer->at = 0;
    if (timer->prev)
        timer->prev->next = timer->next;
    else
        timers = timer->next;
    if (timer->next) timer->next->prev = timer->prev;
}

int64_t loop_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t clock_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void loop_on_idle(void (*idle)(void)) { on_idle = idle; }

void loop_stop(void) { stopped = true; }

static struct timer *earliest(void) {
    struct timer *first = timers;
    for (struct timer *t = timers; t; t = t->next)
        if (t->at < first->at) first = t;
    return first;
}

/* Fires what is due; returns how long the loop may sleep, -1 for ever. */
static int64_t fire_due(void) {
    for (;;) {
        struct timer *first = earliest();
        if (!first || stopped) return -1;
        int64_t left = first->at - loop_now_ms();
        if (left > 0) return left;
        timer_clear(first);
        first->fire(first);
    }
}

void loop_run(void) {
    struct epoll_event events[ROUND];
    bool busy = true;
    stopped = false;
    while (!stopped) {
        int64_t sleep_ms = fire_due();
        if (stopped) return;
        bool idle_next = on_idle && busy && (sleep_ms < 0 || sleep_ms > IDLE_MS);
        if (idle_next)
            sleep_ms = IDLE_MS;
        else if (sleep_ms > INT32_MAX)
            sleep_ms = INT32_MAX;
        int n = epoll_wait(epoll_fd, events, ROUND, (int)sleep_ms);
        if (n == 0 && idle_next) {
            on_idle();
            busy = false;
        }
        round_now++;
        for (int i = 0; i < n && !stopped; i++) {
            struct source *source = events[i].data.ptr;
            busy = true;
            /* Added in this round: the event is of a descriptor that had the slot before. A true one comes again. */
            if (source->fd >= 0 && !source->paused && source->round != round_now)
                source->ready(source, events[i].events);
        }
    }
}
