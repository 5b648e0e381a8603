/* Connections into the pod: both loopback addresses are tried, every attempt has an end, and no socket outlives whoever asked for it. */
#include "pod/dial.h"
#include "test/streams.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#define PORT 4100
#define DIALS 64
#define OFFERS 128
#define DIAL_MS 5000

static bool pod_is_ready = true;
static struct answer told;

static void ask(uint32_t port, uint32_t tag) {
    uint8_t frame[64];
    struct wire_writer w;
    struct request r;
    wire_writer_init(&w, frame, sizeof frame);
    wire_frame_begin(&w, REQUEST_CONNECT, tag);
    wire_put_u32(&w, 1, port);
    wire_frame_end(&w);
    ok(request_decode(frame, w.len, &r) == NULL, "CONNECT to port %u", port);
    dial_start(&r);
}

static bool is_told(void) {
    told = answer();
    return told.type != 0;
}

/* A socket that listens on a loopback address. */
static int listen_on(int family, int backlog) {
    const struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(PORT), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if ((family == AF_INET ? bind(fd, (const struct sockaddr *)&v4, sizeof v4)
                           : bind(fd, (const struct sockaddr *)&v6, sizeof v6)) < 0 ||
        listen(fd, backlog) < 0)
        perror("listen");
    return fd;
}

static void test_connected(int family, const char *name) {
    int before = open_fds(), fds[OFFER_FDS], listener = listen_on(family, 8);
    char byte = 0;
    ask(PORT, 7);
    ok(until(is_told) && told.tag == 7 && told.number != 0, "who listens on %s is reached: %s", name, told.detail);
    ok(fetch(told.number, fds) == 3 && fds[0] >= 0 && fds[1] < 0 && fds[2] < 0,
       "the socket comes in the place of stdin");
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ok(write(fds[0], "a", 1) == 1 && read(peer, &byte, 1) == 1 && byte == 'a', "bytes go there");
    ok(shutdown(fds[0], SHUT_WR) == 0 && read(peer, &byte, 1) == 0, "half of it can be closed");
    struct pollfd p = {fds[0], POLLIN, 0};
    ok(write(peer, "b", 1) == 1 && poll(&p, 1, PATIENCE_MS) == 1 && read(fds[0], &byte, 1) == 1 && byte == 'b',
       "and bytes still come back");
    close_all(fds);
    close(peer);
    close(listener);
    ok(open_fds() == before, "no descriptor is left");
}

static void test_refused(void) {
    int before = open_fds();
    ask(PORT, 3);
    ok(until(is_told) && told.type == MESSAGE_ERROR && told.tag == 3 && told.error == ECONNREFUSED,
       "a port that nobody listens on is refused");
    has(told.detail, "dial tcp4 127.0.0.1:4100: connect: Connection refused", "for IPv4");
    has(told.detail, "dial tcp6 [::1]:4100: connect: Connection refused", "and for IPv6");
    ok(open_fds() == before, "no descriptor is left");
}

static void test_wrong(void) {
    int before = open_fds();
    for (int i = 0; i < 2; i++) {
        ask(i ? UINT16_MAX + 1 : 0, 4);
        ok(is_told() && told.error == EINVAL, "which is none, as is said at once");
    }
    pod_is_ready = false;
    ask(PORT, 5);
    ok(is_told() && told.error == ENXIO, "in a pod that has no namespaces yet is an error");
    pod_is_ready = true;
    ok(open_fds() == before, "no descriptor is left");
}

/* A listener whose queue is full answers nobody: connections to it neither succeed nor fail. */
static int black_hole(int filler[2]) {
    int listener = listen_on(AF_INET, 0);
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 2; i++) {
        filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(filler[i], (const struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) perror("fill");
    }
    return listener;
}

static void close_hole(int listener, const int filler[2]) {
    close(listener);
    close(filler[0]);
    close(filler[1]);
}

static void test_no_answer(void) {
    int before = open_fds(), filler[2], hole = black_hole(filler), fds[OFFER_FDS];
    ask(PORT, 8);
    skip(DIAL_MS - 1000);
    ok(!is_told(), "a port that does not answer is waited for");
    skip(1000);
    ok(until(is_told) && told.error == ETIMEDOUT, "not for ever");
    has(told.detail, "127.0.0.1:4100: connect: Connection timed out", "it is said which address did not answer");
    has(told.detail, "[::1]:4100: connect: Connection refused", "and what became of the other");
    int second = listen_on(AF_INET6, 8);
    ask(PORT, 9);
    skip(DIAL_MS);
    ok(until(is_told) && told.number != 0 && fetch(told.number, fds) == 3,
       "after one that does not answer, the other is reached");
    close_all(fds);
    close(second);
    close_hole(hole, filler);
    ok(open_fds() == before, "no descriptor is left");
}

static void test_limit(void) {
    int before = open_fds(), filler[2], hole = black_hole(filler);
    for (uint32_t i = 1; i <= DIALS; i++) ask(PORT, i);
    ok(!is_told(), "%d connections are being made", DIALS);
    ask(PORT, DIALS + 1);
    ok(is_told() && told.tag == DIALS + 1 && told.error == EAGAIN, "one more is refused at once");
    dial_forget();
    ok(open_fds() == before + 3, "a daemon that is gone leaves none of them");
    close_hole(hole, filler);
    skip(2 * DIAL_MS);
    ok(!is_told(), "nobody is answered later");
    ask(PORT, 1);
    ok(until(is_told) && told.error == ECONNREFUSED, "and there is room again");
    ok(open_fds() == before, "no descriptor is left");
}

static void test_too_many_offers(void) {
    int before = open_fds(), listener = listen_on(AF_INET, 8);
    ok(offer_rest() == OFFERS, "when as many streams wait to be fetched as may");
    ask(PORT, 6);
    ok(until(is_told) && told.error == EAGAIN, "a connection that was made is an error");
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ok(at_end(peer), "and closed");
    close(peer);
    close(listener);
    ok(open_fds() == before, "no descriptor is left");
    skip(10000);
}

/* The addresses have no interface. */
static void test_no_loopback(void) {
    int before = open_fds();
    if (unshare(CLONE_NEWNET) < 0) perror("network namespace");
    ask(PORT, 2);
    ok(until(is_told) && told.error == ENETUNREACH, "without a loopback interface there is an error, too: %s",
       told.detail);
    ok(open_fds() == before, "no descriptor is left");
}

int main(void) {
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    if (unshare(CLONE_NEWNET) < 0 || !streams_open()) return 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(fd, SIOCSIFFLAGS, &lo) < 0) return 1;
    close(fd);
    dial_init(&connection, &pod_is_ready);
    test_connected(AF_INET, "127.0.0.1");
    test_connected(AF_INET6, "::1");
    test_refused();
    test_wrong();
    test_no_answer();
    test_limit();
    test_too_many_offers();
    test_no_loopback();
    return done();
}
