#include "loop/offer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/member.h"
#include "loop/loop.h"

#define OFFERS_MAX 128u
#define FETCHERS_MAX 16u
#define FETCH_MS 10000

struct offer {
    uint32_t number; /* 0: free */
    int fds[OFFER_FDS];
    struct timer timer;
};

/* A connection that has not said yet what it wants. */
struct fetcher {
    struct source source;
    struct timer timer;
};

static struct offer offers[OFFERS_MAX];
static struct fetcher fetchers[FETCHERS_MAX];
static struct source listening;
static uint32_t last_number;

static void withdraw(struct offer *o) {
    timer_clear(&o->timer);
    for (unsigned i = 0; i < OFFER_FDS; i++)
        if (o->fds[i] >= 0) close(o->fds[i]);
    o->number = 0;
}

static void on_offer_timer(struct timer *timer) { withdraw(container_of(timer, struct offer, timer)); }

uint32_t offer_make(const int fds[OFFER_FDS]) {
    struct offer *o = offers;
    while (o < offers + OFFERS_MAX && o->number != 0) o++;
    if (o == offers + OFFERS_MAX) {
        for (unsigned i = 0; i < OFFER_FDS; i++)
            if (fds[i] >= 0) close(fds[i]);
        return 0;
    }
    if (++last_number == 0) last_number = 1;
    o->number = last_number;
    memcpy(o->fds, fds, sizeof o->fds);
    timer_set(&o->timer, FETCH_MS, on_offer_timer);
    return o->number;
}

/* One byte a descriptor: 1 when it is among those that come along. */
static void hand_over(int peer, struct offer *o) {
    uint8_t there[OFFER_FDS];
    int fds[OFFER_FDS];
    unsigned count = 0;
    for (unsigned i = 0; i < OFFER_FDS; i++) {
        there[i] = o->fds[i] >= 0;
        if (there[i]) fds[count++] = o->fds[i];
    }
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof fds)];
    } control = {0};
    struct iovec iov = {there, sizeof there};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    }
    /* A daemon that is gone has no use for them. */
    if (sendmsg(peer, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) errno = 0;
    withdraw(o);
}

static void dismiss(struct fetcher *f) {
    timer_clear(&f->timer);
    loop_close(&f->source);
}

static void on_fetcher(struct source *source, uint32_t events) {
    struct fetcher *f = container_of(source, struct fetcher, source);
    uint32_t number = 0;
    (void)events;
    ssize_t n = recv(source->fd, &number, sizeof number, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    for (struct offer *o = offers; n == sizeof number && number != 0 && o < offers + OFFERS_MAX; o++)
        if (o->number == number) hand_over(source->fd, o);
    dismiss(f);
}

static void on_fetcher_timer(struct timer *timer) { dismiss(container_of(timer, struct fetcher, timer)); }

static void on_connect(struct source *source, uint32_t events) {
    struct fetcher *f = fetchers;
    struct ucred peer;
    socklen_t size = sizeof peer;
    (void)events;
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    while (f < fetchers + FETCHERS_MAX && f->source.fd >= 0) f++;
    if (f == fetchers + FETCHERS_MAX || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
        peer.uid != geteuid() || loop_add(&f->source, fd, EPOLLIN, on_fetcher) < 0) {
        close(fd);
        return;
    }
    timer_set(&f->timer, FETCH_MS, on_fetcher_timer);
}

int offers_init(int listener) {
    for (struct fetcher *f = fetchers; f < fetchers + FETCHERS_MAX; f++) f->source.fd = -1;
    return loop_add(&listening, listener, EPOLLIN, on_connect);
}
