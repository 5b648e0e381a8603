/* Bytes through a small buffer: none lost, none held without bound, and an end for every way in which an end can go away. */
#include "loop/pump.h"
#include "test/streams.h"

#define MUCH (1 << 20)

static struct pump pump;
static int stops;
static uint8_t pattern[MUCH], received[MUCH];

static void on_stopped(struct pump *p) {
    stops++;
    ok(p == &pump && !pump_is_running(p), "it says that it has stopped when it has");
}

/* feed → pump → out */
static int feed, out;

static void open_pump(void) {
    int from[2], to[2];
    if (pipe2(from, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(to, O_CLOEXEC | O_NONBLOCK) < 0) perror("pipe");
    (void)fcntl(to[0], F_SETPIPE_SZ, 4096);
    feed = from[1];
    out = to[0];
    stops = 0;
    ok(pump_start(&pump, from[0], to[1], on_stopped) == 0 && pump_is_running(&pump), "a pump is started");
}

static size_t drain(size_t at) {
    ssize_t n;
    while ((n = read(out, received + at, sizeof received - at)) > 0) at += (size_t)n;
    return at;
}

static void test_everything_in_order(void) {
    int before = open_fds();
    size_t sent = 0, got = 0;
    open_pump();
    while (sent < MUCH) {
        ssize_t n = write(feed, pattern + sent, MUCH - sent);
        if (n > 0) sent += (size_t)n;
        turn();
        got = drain(got);
    }
    close(feed);
    while (stops == 0) {
        turn();
        got = drain(got);
    }
    got = drain(got);
    ok(got == MUCH && memcmp(received, pattern, MUCH) == 0, "a slow reader gets every byte, in order");
    ok(at_end(out), "and the end");
    ok(stops == 1, "it has stopped once");
    close(out);
    ok(open_fds() == before, "no descriptor is left");
}

static void test_reader_that_does_not_read(void) {
    int before = open_fds();
    size_t sent = 0;
    ssize_t n;
    open_pump();
    for (int i = 0; i < 100; i++) {
        while ((n = write(feed, pattern, 4096)) > 0) sent += (size_t)n;
        turn();
    }
    ok(sent <= 65536 + 4096 + 2 * PUMP_BYTES, "who does not read stops the writer after a while: %zu bytes", sent);
    ok(pump.from.paused, "which is not even listened to");
    close(feed);
    turn();
    ok(stops == 0, "the writer's end is noticed when what it wrote has been taken");
    size_t got = 0;
    while (stops == 0) {
        got = drain(got);
        turn();
    }
    got = drain(got);
    ok(got == sent && at_end(out), "nothing of it is lost");
    close(out);
    ok(open_fds() == before, "no descriptor is left");
}

static void test_reader_goes(void) {
    int before = open_fds();
    open_pump();
    close(out);
    turn();
    ok(stops == 1 && !has_reader(feed), "a reader that leaves ends it, although nothing is written");
    close(feed);
    open_pump();
    while (write(feed, pattern, 4096) > 0) turn();
    ok(pump.from.paused, "a reader that does not read");
    close(out);
    turn();
    ok(stops == 1 && !has_reader(feed), "and leaves ends it, too");
    close(feed);
    open_pump();
    close(out);
    ok(write(feed, "x", 1) == 1, "a byte on its way when the reader leaves");
    turn();
    ok(stops == 1, "ends it once");
    close(feed);
    ok(open_fds() == before, "no descriptor is left");
}

static void test_both_go(void) {
    int before = open_fds();
    open_pump();
    close(feed);
    close(out);
    turn();
    ok(stops == 1, "when both ends go in one round it stops once");
    ok(open_fds() == before, "no descriptor is left");
}

static void test_stopped_from_outside(void) {
    int before = open_fds();
    open_pump();
    ok(write(feed, "x", 1) == 1, "with a byte on its way");
    pump_stop(&pump);
    pump_stop(&pump);
    turn();
    ok(stops == 0 && !pump_is_running(&pump), "whoever stops it is not told");
    ok(!has_reader(feed) && at_end(out), "both ends are closed");
    close(feed);
    close(out);
    ok(open_fds() == before, "no descriptor is left");
}

/* A regular file cannot be waited for (epoll_ctl(2), EPERM). */
static void test_not_started(void) {
    int before = open_fds(), ends[2];
    for (int which = 0; which < 2; which++) {
        int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) perror("pipe");
        int done =
            which == 0 ? pump_start(&pump, file, ends[1], on_stopped) : pump_start(&pump, ends[0], file, on_stopped);
        ok(done < 0 && errno == EPERM && !pump_is_running(&pump), "a descriptor that cannot be waited for is refused");
        close(ends[which]);
    }
    ok(open_fds() == before, "with both descriptors closed");
}

int main(void) {
    if (!streams_open()) return 1;
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = (uint8_t)(i * 7 + i / 251);
    pump_init(&pump);
    ok(!pump_is_running(&pump), "a pump does not run before it is started");
    test_everything_in_order();
    test_reader_that_does_not_read();
    test_reader_goes();
    test_both_go();
    test_stopped_from_outside();
    test_not_started();
    return done();
}
