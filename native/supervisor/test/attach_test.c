/* Clients attached to a container: who gets which stream, what is refused, and how they leave. */
#include "loop/tty.h"
#include "test/box.h"

#define CLIENTS 32
#define OFFERS 128
#define OFFER_MS 10000

static void test_streams(void) {
    int before = open_fds(), only[OFFER_FDS];
    char text[16] = "";
    open_box(true);
    ok(attach(true, true, true, fds) && fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0, "a client gets all three streams");
    ok(attach(false, false, true, only) && only[0] < 0 && only[1] < 0 && only[2] >= 0,
       "another gets what it asked for");
    ok(write(inside[1], "out\n", 4) == 4 && write(inside[2], "err\n", 4) == 4, "the container writes");
    turn();
    ok(read(fds[1], text, sizeof text) == 4 && memcmp(text, "out\n", 4) == 0, "stdout is stdout");
    ok(read(fds[2], text, sizeof text) == 4 && memcmp(text, "err\n", 4) == 0, "stderr is stderr");
    ok(read(only[2], text, sizeof text) == 4 && memcmp(text, "err\n", 4) == 0, "for every client");
    ok(write(fds[0], "in", 2) == 2 && read(inside[0], text, sizeof text) == 2, "stdin is the container's");
    ok(logged() == 8, "and all output is in the log");
    end_box();
    ok(at_end(fds[1]) && at_end(fds[2]) && at_end(only[2]), "with the container everything ends");
    ok(!has_reader(fds[0]), "stdin, too");
    close_all(fds);
    close_all(only);
    ok(open_fds() == before, "no descriptor is left");
}

static void test_refusals(void) {
    int before = open_fds();
    open_box(false);
    int with_box = open_fds();
    box.state = CONTAINER_CREATED;
    ok(ask(false, true, false) < 0 && err.error == EBUSY, "a container that does not run is refused: %s", err.detail);
    box.state = CONTAINER_RUNNING;
    ok(attach(true, true, false, fds) && fds[0] < 0 && fds[1] >= 0, "without a stdin there is none to get");
    close_all(fds);
    ok(attach(false, false, false, fds) && fds[0] < 0 && fds[1] < 0 && fds[2] < 0, "who asks for nothing gets nothing");
    turn();
    ok(offer_rest() == OFFERS, "when as many streams wait to be fetched as may");
    ok(ask(true, true, true) < 0 && err.error == EAGAIN, "one more client is refused: %s", err.detail);
    skip(OFFER_MS);
    ok(open_fds() == with_box, "and leaves no descriptor");
    close(inside[2]);
    inside[2] = -1;
    turn();
    ok(attach(false, true, true, fds) && fds[1] >= 0 && fds[2] < 0,
       "a stream that the container has closed is not there");
    close_all(fds);
    end_box();
    ok(open_fds() == before, "no descriptor is left");
}

static void test_limit(void) {
    int before = open_fds(), clients[CLIENTS][OFFER_FDS];
    open_box(false);
    bool all = true;
    for (int i = 0; i < CLIENTS; i++) all = attach(false, true, true, clients[i]) && all;
    ok(all, "%d clients", CLIENTS);
    int full = open_fds();
    ok(ask(false, true, true) < 0 && err.error == EAGAIN, "one more is refused: %s", err.detail);
    ok(open_fds() == full, "and leaves no descriptor");
    ok(write(inside[1], "all", 3) == 3, "the container writes");
    turn();
    for (int i = 0; i < CLIENTS; i++) all = read(clients[i][1], received, 8) == 3 && all;
    ok(all, "to all of them");
    close_all(clients[5]);
    turn();
    ok(attach(false, true, false, clients[5]), "when one has left there is room again");
    for (int i = 0; i < CLIENTS; i++) close_all(clients[i]);
    end_box();
    ok(open_fds() == before, "no descriptor is left");
}

/* StdinOnce is this, said by the daemon when the first client's stdin has ended. */
static void test_stdin_once(void) {
    int before = open_fds(), later[OFFER_FDS];
    open_box(true);
    struct request none = {0};
    ok(attach(true, true, false, fds), "the first client");
    ok(attach_close_stdin(&none, &box, &err) == 0, "CLOSE_STDIN");
    ok(read(inside[0], received, 8) < 0 && errno == EAGAIN, "is no end while a client holds stdin");
    ok(write(fds[0], "last", 4) == 4, "who can still write");
    close(fds[0]);
    fds[0] = -1;
    ok(read(inside[0], received, 8) == 4 && at_end(inside[0]), "then the container reads its end");
    ok(write(inside[1], "more", 4) == 4, "the client has closed its half");
    turn();
    ok(read(fds[1], received, 8) == 4, "and goes on listening");
    ok(attach(true, true, false, later) && later[0] < 0 && later[1] >= 0, "the next client gets no stdin");
    ok(attach_close_stdin(&none, &box, &err) == 0, "closing it twice is no error");
    close_all(fds);
    close_all(later);
    end_box();
    ok(open_fds() == before, "no descriptor is left");
}

static void test_stdin_goes_on(void) {
    int before = open_fds();
    open_box(true);
    for (int i = 0; i < 2; i++) {
        ok(attach(true, false, false, fds) && write(fds[0], "x", 1) == 1, "client %d writes", i);
        close_all(fds);
        ok(read(inside[0], received, 8) == 1, "and leaves");
        ok(read(inside[0], received, 8) < 0 && errno == EAGAIN, "which is not the end of the container's stdin");
    }
    end_box();
    ok(open_fds() == before, "no descriptor is left");
}

static void test_vanishing(void) {
    int before = open_fds();
    open_box(true);
    int with_box = open_fds();
    ok(attach(true, true, true, fds), "a client");
    close_all(fds);
    turn();
    ok(open_fds() == with_box, "that vanishes leaves no descriptor, although nobody writes");
    ok(attach(true, true, true, fds), "a client that does not read");
    fill(inside[1], 0, MUCH, NULL);
    ok(box.output[0].source.paused, "holds the container up");
    close_all(fds);
    turn();
    ok(!box.output[0].source.paused, "until it vanishes");
    turn();
    ok(open_fds() == with_box, "leaving no descriptor");
    ok(attach(false, true, true, fds), "a client");
    close(fds[1]);
    fds[1] = -1;
    ok(write(inside[1], "a", 1) == 1 && write(inside[2], "b", 1) == 1, "that closes its stdout alone");
    turn();
    ok(read(fds[2], received, 8) == 1, "still gets stderr");
    close_all(fds);
    ok(ask(true, true, true) == 1 && answer().number != 0, "a client that does not fetch what it asked for");
    skip(OFFER_MS);
    ok(open_fds() == with_box, "is none after a while");
    end_box();
    ok(open_fds() == before, "no descriptor is left");
}

static void test_slot_of_another(void) {
    open_box(false);
    attach(false, true, false, fds);
    end_box();
    int old = fds[1];
    open_box(false);
    ok(attach(false, true, false, fds), "a client of the next container in the same place");
    ok(write(inside[1], "new", 3) == 3, "which writes");
    turn();
    ok(read(fds[1], received, 8) == 3 && at_end(old), "who was attached to the one before gets nothing of it");
    close(old);
    close_all(fds);
    end_box();
}

/* Between a pty's two ends the kernel works in its own time. */
static int watched;
static size_t missing;

static bool has_come(void) {
    char byte;
    while (missing > 0 && read(watched, &byte, 1) == 1) missing--;
    return missing == 0;
}

static bool comes(int fd, size_t bytes) {
    watched = fd;
    missing = bytes;
    return until(has_come);
}

static bool is_over(void) { return box.output[0].source.fd < 0; }

static void test_terminal(void) {
    int before = open_fds(), other[OFFER_FDS];
    open_terminal();
    ok(attach(true, true, true, fds) && fds[0] >= 0 && fds[1] >= 0 && fds[2] < 0, "a terminal has no stderr");
    ok(attach(true, true, false, other), "two clients share one");
    ok(write(fds[0], "a", 1) == 1 && comes(inside[0], 1), "one types, and the program reads it");
    ok(write(other[0], "bc", 2) == 2 && comes(inside[0], 2), "then the other");
    ok(write(inside[0], "screen", 6) == 6 && comes(fds[1], 6) && comes(other[1], 6), "what it writes both see");
    close(fds[0]);
    fds[0] = -1;
    turn();
    ok(read(inside[0], received, 8) < 0 && errno == EAGAIN, "one that stops typing hangs nobody up");
    ok(write(inside[0], "x", 1) == 1 && comes(fds[1], 1) && comes(other[1], 1), "the program writes on");
    close_inside();
    turn();
    ok(box.output[0].source.fd >= 0, "a terminal that nobody has open for a while is not hung up");
    ok(write(other[0], "typed", 5) == 5, "what is typed meanwhile waits");
    reopen_terminal();
    ok(write(inside[0], "again", 5) == 5, "its program opens it again");
    skip(TTY_HANGUP_MS);
    ok(comes(fds[1], 5) && comes(other[1], 5) && comes(inside[0], 5), "and both are there");
    size_t typed = 0;
    for (ssize_t n; typed < MUCH && (n = write(other[0], pattern, 4096)) > 0; typed += (size_t)n) turn();
    ok(typed < 1 << 18, "a program that does not read stops who types: after %zu bytes", typed);
    ok(write(inside[0], "y", 1) == 1 && comes(fds[1], 1), "its screen is there for all");
    close_inside();
    turn();
    box.state = CONTAINER_ENDING;
    container_io_ending(&box);
    ok(until(is_over), "with its last process a terminal is at its end");
    container_io_finish(&box);
    turn();
    ok(at_end(fds[1]) && !has_reader(other[0]), "as are the clients");
    close_all(fds);
    close_all(other);
    ok(open_fds() == before, "no descriptor is left");
}

int main(void) {
    if (!streams_open()) return 1;
    box_init();
    test_streams();
    test_refusals();
    test_limit();
    test_stdin_once();
    test_stdin_goes_on();
    test_vanishing();
    test_slot_of_another();
    test_terminal();
    return done();
}
