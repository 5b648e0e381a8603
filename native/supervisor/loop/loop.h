/* The one event loop: readable and writable descriptors, and timers. Everything that waits, waits here. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* A descriptor in the loop. It lives in static memory and is never freed while an event may name it; fd is -1 when not in use.
 * What was reported for an older descriptor in the same slot is not told to the newer one. */
struct source {
    int fd;
    uint32_t events;
    uint32_t round; /* of the loop in which it was added */
    bool paused;
    void (*ready)(struct source *source, uint32_t events);
};

/* A timer; armed while `at` is not 0. */
struct timer {
    int64_t at; /* CLOCK_MONOTONIC, ms */
    void (*fire)(struct timer *timer);
    struct timer *next, *prev;
};

/* Also called by a process just forked, which must not share its parent's loop. */
int loop_init(void);
/* In a fork that has no use for the parent's loop. */
void loop_leave(void);

int loop_add(struct source *source, int fd, uint32_t events, void (*ready)(struct source *, uint32_t));
void loop_want(struct source *source, uint32_t events);
/* Leaves the descriptor open but tells nothing of it, not even a hang-up, which no set of events can silence. */
void loop_pause(struct source *source);
int loop_resume(struct source *source);
/* Takes the descriptor out of the loop and closes it. */
void loop_close(struct source *source);
/* Takes the descriptor out of the loop and returns it. */
int loop_release(struct source *source);

void timer_set(struct timer *timer, int64_t in_ms, void (*fire)(struct timer *));
void timer_clear(struct timer *timer);

int64_t loop_now_ms(void);
uint64_t clock_now_ns(void); /* CLOCK_REALTIME */

/* Called when the loop has had nothing to do for a second: the time to give memory back. */
void loop_on_idle(void (*idle)(void));

/* Runs until loop_stop. */
void loop_run(void);
void loop_stop(void);
