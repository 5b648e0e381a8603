#include "test/streams.h"

#include <dirent.h>
#include <sys/eventfd.h>
#include <sys/un.h>

/* ---- the clock: in place of the C library's ---- */

static int64_t skipped_ms;

int clock_gettime(clockid_t id, struct timespec *now) {
    int done = (int)syscall(SYS_clock_gettime, id, now);
    if (id == CLOCK_MONOTONIC) {
        now->tv_sec += skipped_ms / 1000;
        now->tv_nsec += skipped_ms % 1000 * 1000000;
        if (now->tv_nsec >= 1000000000) now->tv_sec++, now->tv_nsec -= 1000000000;
    }
    return done;
}

static struct source pulse;
static int turns_left;
static bool (*wanted)(void);
static bool happened;
static struct timer glance, patience;

struct connection connection;
int daemon_fd;
static struct sockaddr_un streams_address;
static socklen_t streams_size;

static void on_pulse(struct source *source, uint32_t events) {
    (void)source, (void)events;
    if (--turns_left == 0) loop_stop();
}

void turn(void) {
    turns_left = TURNS;
    loop_add(&pulse, eventfd(1, EFD_CLOEXEC), EPOLLIN, on_pulse);
    loop_run();
    loop_close(&pulse);
}

void skip(int64_t ms) {
    skipped_ms += ms;
    turn();
}

static void on_glance(struct timer *timer) {
    happened = wanted();
    if (happened)
        loop_stop();
    else
        timer_set(timer, 1, on_glance);
}

static void too_late(struct timer *timer) {
    (void)timer;
    loop_stop();
}

bool until(bool (*condition)(void)) {
    wanted = condition;
    timer_set(&patience, PATIENCE_MS, too_late);
    timer_set(&glance, 0, on_glance);
    loop_run();
    timer_clear(&glance);
    timer_clear(&patience);
    return happened;
}

struct answer answer(void) {
    struct answer a = {0};
    uint8_t frame[2048];
    struct wire_reader reader;
    struct wire_field field;
    if (recv(daemon_fd, frame, 4, MSG_DONTWAIT) != 4) return a;
    size_t len = wire_load32(frame) + 4;
    if (len > sizeof frame || recv(daemon_fd, frame + 4, len - 4, MSG_DONTWAIT) != (ssize_t)len - 4) return a;
    a.type = wire_load16(frame + 4);
    a.tag = wire_load32(frame + 8);
    wire_reader_init(&reader, frame + WIRE_FRAME_HEADER, len - WIRE_FRAME_HEADER);
    while (wire_next(&reader, &field) > 0) {
        if (a.type == MESSAGE_ERROR && field.id == 1) wire_i32(&field, &a.error);
        if (a.type == MESSAGE_ERROR && field.id == 3) wire_string(&field, a.detail, sizeof a.detail);
        if (a.type != MESSAGE_ERROR && field.id == 1) wire_u32(&field, &a.number);
    }
    return a;
}

void reconnect(void) {
    int pair[2];
    if (daemon_fd > 0) close(daemon_fd);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || connection_open(&connection, pair[0]) < 0)
        perror("connection");
    daemon_fd = pair[1];
}

int dial_streams(void) {
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&streams_address, streams_size) < 0) perror("streams socket");
    return fd;
}

ssize_t take(int fd, int fds[OFFER_FDS]) {
    uint8_t there[8] = {0};
    int got[8], at = 0;
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof got)];
    } control;
    struct iovec iov = {there, sizeof there};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (c) memcpy(got, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    int count = c ? (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
    for (unsigned i = 0; i < OFFER_FDS; i++) fds[i] = there[i] && at < count ? got[at++] : -1;
    return n < 0 ? -2 : n;
}

ssize_t fetch(uint32_t number, int fds[OFFER_FDS]) {
    int fd = dial_streams();
    if (send(fd, &number, sizeof number, 0) != sizeof number) perror("number");
    turn();
    ssize_t n = take(fd, fds);
    close(fd);
    return n;
}

int open_fds(void) {
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (directory && readdir(directory)) count++;
    if (directory) closedir(directory);
    return count;
}

void close_all(int fds[OFFER_FDS]) {
    for (unsigned i = 0; i < OFFER_FDS; i++) {
        if (fds[i] >= 0) close(fds[i]);
        fds[i] = -1;
    }
}

bool has_reader(int fd) {
    struct pollfd p = {fd, POLLOUT, 0};
    poll(&p, 1, 0);
    return !(p.revents & POLLERR);
}

bool at_end(int fd) {
    char byte;
    return read(fd, &byte, 1) == 0;
}

int offer_rest(void) {
    static const int nothing[OFFER_FDS] = {-1, -1, -1};
    int count = 0;
    while (offer_make(nothing) != 0) count++;
    return count;
}

bool streams_open(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    alarm(PATIENCE_MS / 1000 * 3); /* a test that waits for what does not come has failed */
    fixture_env.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    streams_address.sun_family = AF_UNIX;
    streams_size = sizeof streams_address;
    /* A name that the kernel chooses, in no file system. */
    if (loop_init() < 0 || connection_init(&connection) < 0 ||
        bind(listener, (struct sockaddr *)&streams_address, sizeof(sa_family_t)) < 0 || listen(listener, 64) < 0 ||
        getsockname(listener, (struct sockaddr *)&streams_address, &streams_size) < 0 || offers_init(listener) < 0)
        return false;
    reconnect();
    return true;
}
