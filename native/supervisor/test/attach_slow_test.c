/* Clients that do not keep up: nobody loses a byte, and nobody holds the container, its log or the others up for good. */
#include "test/box.h"

static void test_slow_reader(void) {
    static struct fast other;
    int before = open_fds();
    open_box(false);
    ok(attach(false, true, false, fds) && attach(false, true, false, other.fds), "a slow client and a fast one");
    size_t sent = fill(inside[1], 0, MUCH, &other), got = 0, held = logged();
    ok(sent < MUCH && box.output[0].source.paused, "who does not read holds the container up: after %zu bytes", sent);
    ok(held < sent && held > 256 << 10, "the log has what was read until then: %zu bytes", held);
    ok(other.got >= held && other.got < held + LOG_LINE_MAX, "as has the other client: %zu", other.got);
    while (got < MUCH) {
        if (sent < MUCH) sent = fill(inside[1], sent, MUCH, &other);
        got = drain(fds[1], received, got);
        turn();
        other.got = drain(other.fds[1], other.text, other.got);
    }
    ok(memcmp(received, pattern, MUCH) == 0, "reading again, it gets every byte in order");
    ok(other.got == MUCH && memcmp(other.text, pattern, MUCH) == 0, "as does the other");
    ok(!box.output[0].source.paused && logged() > MUCH - LOG_LINE_MAX, "and the log");
    close_all(fds);
    close_all(other.fds);
    end_box();
    ok(open_fds() == before, "no descriptor is left");
}

static void test_stalled(void) {
    static struct fast other;
    int before = open_fds();
    open_box(true);
    ok(attach(true, true, true, fds) && attach(false, true, false, other.fds), "two clients, one does not read");
    size_t sent = fill(inside[1], 0, MUCH, &other);
    skip(ATTACH_STALL_MS - 1000);
    ok(box.output[0].source.paused, "the container waits for it");
    ok(read(fds[1], received, 65536) == 65536, "which takes a little");
    turn();
    skip(ATTACH_STALL_MS - 1000);
    ok(box.output[0].source.paused, "and is waited for again");
    skip(1000);
    for (int i = 0; i < 4; i++) fill(inside[1], sent, sent, &other); /* what had waited in the container's pipe */
    ok(!box.output[0].source.paused, "but who takes nothing for %d s holds up nobody any more", ATTACH_STALL_MS / 1000);
    sent = fill(inside[1], sent, sent + 100000, &other);
    ok(other.got == sent && memcmp(other.text, pattern, sent) == 0, "the other misses nothing: %zu bytes", other.got);
    drain(fds[1], received, 0);
    ok(at_end(fds[1]) && at_end(fds[2]), "the one that was cut off gets its end, of both outputs");
    close_all(fds);
    close_all(other.fds);
    end_box();
    ok(open_fds() == before, "no descriptor is left");
}

static void test_end_with_slow_reader(void) {
    int before = open_fds();
    open_box(false);
    ok(attach(false, true, false, fds), "a client that does not read");
    size_t sent = fill(inside[1], 0, MUCH, NULL);
    close_inside();
    turn();
    container_io_finish(&box);
    box.state = CONTAINER_EXITED;
    turn();
    ok(box.output[0].source.fd < 0, "its container ends all the same");
    size_t got = 0;
    for (int i = 0; i < 8; i++) {
        got = drain(fds[1], received, got);
        turn();
    }
    ok(got > 256 << 10 && got < sent && memcmp(received, pattern, got) == 0,
       "it gets what had been read for it, in order: %zu of %zu bytes", got, sent);
    ok(at_end(fds[1]), "and the end");
    close_all(fds);
    ok(open_fds() == before, "no descriptor is left");

    open_box(false);
    ok(attach(false, true, false, fds), "another one");
    fill(inside[1], 0, MUCH, NULL);
    end_box();
    skip(ATTACH_STALL_MS);
    got = drain(fds[1], received, 0);
    ok(at_end(fds[1]) && got <= 256 << 10, "is not waited for longer than %d s", ATTACH_STALL_MS / 1000);
    close_all(fds);
    ok(open_fds() == before, "no descriptor is left");
}

/* "a client standing still cost the others the end of the output": it waited in the container's pipe and went to the log only. */
static void test_left_behind(void) {
    static struct fast other;
    int before = open_fds();
    open_box(false);
    ok(attach(false, true, false, fds) && attach(false, true, false, other.fds), "two clients, one stands still");
    size_t sent = fill(inside[1], 0, MUCH, &other);
    close_inside();
    turn();
    ok(container_io_waits(&box) && other.got < sent, "their container ends, with %zu bytes in its pipe",
       sent - other.got);
    attach_leave_behind(&box);
    for (int i = 0; i < 8; i++) {
        turn();
        other.got = drain(other.fds[1], other.text, other.got);
    }
    ok(other.got == sent && memcmp(other.text, pattern, sent) == 0, "who reads gets every byte: %zu", other.got);
    ok(logged() > sent - LOG_LINE_MAX && !container_io_is_open(&box), "as does the log, and the output is at its end");
    size_t got = drain(fds[1], received, 0);
    turn();
    got = drain(fds[1], received, got);
    ok(got < sent && memcmp(received, pattern, got) == 0 && at_end(fds[1]),
       "who stood still gets what had been read for it: %zu", got);
    end_box();
    ok(at_end(other.fds[1]), "the end comes last");
    close_all(fds);
    close_all(other.fds);
    ok(open_fds() == before, "no descriptor is left");
}

/* What waits in the pipe of a container that has ended belongs into its log, whoever is attached. */
static void test_log_misses_nothing(void) {
    open_box(false);
    attach(false, true, false, fds);
    size_t sent = fill(inside[1], 0, MUCH, NULL);
    int log = fcntl(box.log.fd, F_DUPFD_CLOEXEC, 3);
    ok(logged() < sent, "a client that does not read holds up the log");
    end_box();
    box.log.fd = log;
    ok(logged() == sent, "which has everything in the end: %zu of %zu bytes", logged(), sent);
    close(log);
    close_all(fds);
    skip(ATTACH_STALL_MS);
}

static void test_idle(void) {
    int before = open_fds();
    open_box(false);
    attach(false, true, false, fds);
    size_t sent = fill(inside[1], 0, MUCH, NULL);
    attach_idle();
    size_t got = 0;
    while (got < sent) {
        turn();
        got = drain(fds[1], received, got);
    }
    ok(memcmp(received, pattern, sent) == 0, "memory is not given back while somebody waits for what is in it");
    close_all(fds);
    end_box();
    attach_idle();
    ok(open_fds() == before, "no descriptor is left");
}

int main(void) {
    if (!streams_open()) return 1;
    box_init();
    test_slow_reader();
    test_stalled();
    test_end_with_slow_reader();
    test_left_behind();
    test_log_misses_nothing();
    test_idle();
    return done();
}
