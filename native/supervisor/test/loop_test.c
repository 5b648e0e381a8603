/* The event loop: an event belongs to the descriptor it was reported for. */
#include "loop/loop.h"
#include "test/tap.h"

#include <sys/eventfd.h>
#include <unistd.h>

static struct source sources[2];
static int called, stale;
static struct timer end;

static void on_new(struct source *source, uint32_t events) {
    (void)source, (void)events;
    stale++;
}

/* Whichever is called first puts a descriptor that is not readable into the other's slot, as a daemon that reconnects does. */
static void on_first(struct source *source, uint32_t events) {
    struct source *other = source == &sources[0] ? &sources[1] : &sources[0];
    (void)events;
    called++;
    loop_close(source);
    loop_close(other);
    loop_add(other, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), EPOLLIN, on_new);
}

static void on_end(struct timer *timer) {
    (void)timer;
    loop_stop();
}

static void on_again(struct source *source, uint32_t events) {
    uint64_t count;
    (void)events;
    called += read(source->fd, &count, sizeof count) == sizeof count;
    loop_stop();
}

int main(void) {
    if (loop_init() < 0) return 1;
    for (int i = 0; i < 2; i++) loop_add(&sources[i], eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), EPOLLIN, on_first);
    timer_set(&end, 50, on_end);
    loop_run();
    ok(called == 1, "of two events in one round the first is handled");
    ok(stale == 0, "the second is not told to a newer descriptor in its slot");
    struct source *left = sources[0].fd >= 0 ? &sources[0] : &sources[1];
    loop_close(left);
    called = 0;
    loop_add(left, eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), EPOLLIN, on_again);
    timer_set(&end, 5000, on_end);
    loop_run();
    ok(called == 1, "whose own events it gets");
    return done();
}
