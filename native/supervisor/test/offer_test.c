/* Descriptors on offer: fetched once, by us alone, in time or never; whoever asks wrongly costs nobody else anything. */
#include "test/streams.h"

#define OFFERS 128
#define FETCHERS 16
#define FETCH_MS 10000

/* Two ends of a pipe; the one to read from stays here. */
static uint32_t offer_pipe(unsigned place, int *reader) {
    int ends[2], fds[OFFER_FDS] = {-1, -1, -1};
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) perror("pipe");
    *reader = ends[0];
    fds[place] = ends[1];
    return offer_make(fds);
}

static void test_fetched_once(void) {
    int before = open_fds(), fds[OFFER_FDS], reader;
    for (unsigned place = 0; place < OFFER_FDS; place++) {
        uint32_t number = offer_pipe(place, &reader);
        ok(number != 0 && fetch(number, fds) == 3 && fds[place] >= 0, "a descriptor in place %u is fetched", place);
        for (unsigned i = 0; i < OFFER_FDS; i++) ok(i == place || fds[i] < 0, "and none in place %u", i);
        ok(write(fds[place], "x", 1) == 1 && !at_end(reader), "it is the one that was offered");
        close_all(fds);
        ok(at_end(reader), "nobody but who has fetched it holds it");
        close(reader);
        ok(fetch(number, fds) == 0, "a second time there is nothing but the end of the connection");
    }
    static const int nothing[OFFER_FDS] = {-1, -1, -1};
    ok(fetch(offer_make(nothing), fds) == 3 && fds[0] < 0 && fds[1] < 0 && fds[2] < 0,
       "an offer of nothing is fetched");
    ok(open_fds() == before, "no descriptor is left");
}

static void test_all_three(void) {
    int before = open_fds(), ends[3][2], offered[OFFER_FDS], fds[OFFER_FDS];
    for (int i = 0; i < 3; i++) {
        if (pipe2(ends[i], O_CLOEXEC | O_NONBLOCK) < 0) perror("pipe");
        offered[i] = ends[i][1];
    }
    ok(fetch(offer_make(offered), fds) == 3, "three are fetched together");
    for (int i = 0; i < 3; i++) {
        char byte = 0;
        ok(write(fds[i], &"abc"[i], 1) == 1 && read(ends[i][0], &byte, 1) == 1 && byte == "abc"[i], "%d in its place",
           i);
        close(ends[i][0]);
    }
    close_all(fds);
    ok(open_fds() == before, "no descriptor is left");
}

static void test_wrong_questions(void) {
    int before = open_fds(), fds[OFFER_FDS], reader;
    uint32_t number = offer_pipe(1, &reader);
    static const char half[4] = {1};
    ok(fetch(number + 1, fds) == 0, "a number that is not on offer gets the end of the connection");
    ok(fetch(0, fds) == 0, "as does 0, which marks what is free");
    for (size_t len = 1; len < 4; len++) {
        int fd = dial_streams();
        ok(send(fd, half, len, 0) == (ssize_t)len, "a number of %zu bytes", len);
        turn();
        ok(take(fd, fds) == 0, "gets the end of the connection");
        close(fd);
    }
    close(dial_streams());
    turn();
    ok(fetch(number, fds) == 3 && fds[1] >= 0, "after all of them, and one who left at once, the right one gets it");
    close_all(fds);
    close(reader);
    ok(open_fds() == before, "no descriptor is left");
}

static void test_one_who_leaves_with_the_question(void) {
    int before = open_fds(), reader, fd = dial_streams();
    uint32_t number = offer_pipe(0, &reader);
    ok(send(fd, &number, sizeof number, 0) == sizeof number, "a client asks and is gone");
    close(fd);
    turn();
    ok(at_end(reader), "what it asked for is closed");
    close(reader);
    ok(open_fds() == before, "no descriptor is left");
}

static void test_stranger(void) {
    int before = open_fds(), fds[OFFER_FDS], reader, status = 0;
    uint32_t number = offer_pipe(0, &reader);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgid(65534) < 0 || setuid(65534) < 0) _exit(9);
        int fd = dial_streams();
        send(fd, &number, sizeof number, MSG_NOSIGNAL);
        struct pollfd p = {fd, POLLIN, 0};
        _exit(poll(&p, 1, PATIENCE_MS) == 1 && take(fd, fds) <= 0 && fds[0] < 0 ? 0 : 1);
    }
    while (waitpid(pid, &status, WNOHANG) == 0) turn();
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "another user gets nothing");
    ok(fetch(number, fds) == 3 && fds[0] >= 0, "and takes nothing away");
    close_all(fds);
    close(reader);
    ok(open_fds() == before, "no descriptor is left");
}

static void test_not_fetched(void) {
    int before = open_fds(), fds[OFFER_FDS], reader;
    uint32_t number = offer_pipe(2, &reader);
    skip(FETCH_MS - 1000);
    ok(!at_end(reader), "an offer stands");
    skip(1000);
    ok(at_end(reader), "for %d s", FETCH_MS / 1000);
    ok(fetch(number, fds) == 0, "after that its number is unknown");
    close(reader);
    ok(open_fds() == before, "no descriptor is left");
}

static void test_limits(void) {
    int before = open_fds(), fds[OFFER_FDS], reader, silent[FETCHERS];
    ok(offer_rest() == OFFERS, "there is room for %d offers", OFFERS);
    ok(offer_pipe(0, &reader) == 0 && at_end(reader), "one more is refused, and its descriptors closed");
    close(reader);
    skip(FETCH_MS);
    uint32_t number = offer_pipe(0, &reader);
    ok(number != 0, "after their time there is room again");
    for (int i = 0; i < FETCHERS; i++) silent[i] = dial_streams();
    turn();
    ok(take(silent[0], fds) == -2, "%d clients say nothing, and are waited for", FETCHERS);
    ok(fetch(number, fds) <= 0, "one more is sent away");
    skip(FETCH_MS - 1000);
    ok(take(silent[0], fds) == -2, "still waited for");
    skip(1000);
    ok(take(silent[0], fds) == 0 && take(silent[FETCHERS - 1], fds) == 0, "not for ever");
    for (int i = 0; i < FETCHERS; i++) close(silent[i]);
    close(reader);
    number = offer_pipe(0, &reader);
    ok(fetch(number, fds) == 3, "then there is room for others");
    close_all(fds);
    close(reader);
    ok(open_fds() == before, "no descriptor is left");
}

int main(void) {
    if (!streams_open()) return 1;
    test_fetched_once();
    test_all_three();
    test_wrong_questions();
    test_one_who_leaves_with_the_question();
    test_stranger();
    test_not_fetched();
    test_limits();
    return done();
}
