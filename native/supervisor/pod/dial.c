#include "pod/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/member.h"
#include "loop/offer.h"

#define DIALS_MAX 64u
#define DIAL_MS 5000
#define FAMILIES 2

struct dial {
    uint32_t tag; /* 0: free */
    uint16_t port;
    int family;          /* which of the addresses is being tried */
    int error[FAMILIES]; /* why the earlier ones failed */
    struct source source;
    struct timer timer;
};

static struct dial dials[DIALS_MAX];
static struct connection *connection;
static const bool *ready;

void dial_init(struct connection *the_connection, const bool *is_ready) {
    connection = the_connection;
    ready = is_ready;
}

static void release(struct dial *d) {
    timer_clear(&d->timer);
    loop_close(&d->source);
    d->tag = 0;
}

/* In the words that the field's clients know. */
static void refuse(struct dial *d) {
    struct error err = {.error = d->error[0] ? d->error[0] : ECONNREFUSED, .step = "connect"};
    snprintf(err.detail, sizeof err.detail,
             "IPv4: dial tcp4 127.0.0.1:%u: connect: %s IPv6: dial tcp6 [::1]:%u: connect: %s", d->port,
             strerror(d->error[0]), d->port, strerror(d->error[1]));
    reply_error(connection, d->tag, &err);
    release(d);
}

static void succeed(struct dial *d) {
    struct wire_writer w;
    const int fds[OFFER_FDS] = {loop_release(&d->source), -1, -1};
    uint32_t number = offer_make(fds);
    if (number == 0)
        reply_errno(connection, d->tag, EAGAIN, "connect", "too many streams wait to be fetched");
    else {
        message_begin(connection, &w, REQUEST_CONNECT | MESSAGE_REPLY, d->tag);
        wire_put_u32(&w, FIELD_CONNECT_REPLY_SESSION, number);
        message_send(connection, &w);
    }
    release(d);
}

static int begin(const struct dial *d, int fd) {
    const struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(d->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(d->port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    return d->family == 0 ? connect(fd, (const struct sockaddr *)&v4, sizeof v4)
                          : connect(fd, (const struct sockaddr *)&v6, sizeof v6);
}

static void try_next(struct dial *d);

static void give_up(struct dial *d, int error) {
    timer_clear(&d->timer);
    loop_close(&d->source);
    d->error[d->family++] = error;
    try_next(d);
}

static void on_settled(struct source *source, uint32_t events) {
    struct dial *d = container_of(source, struct dial, source);
    int error = 0;
    socklen_t size = sizeof error;
    (void)events;
    if (getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) error = errno;
    if (error)
        give_up(d, error);
    else
        succeed(d);
}

static void on_timer(struct timer *timer) { give_up(container_of(timer, struct dial, timer), ETIMEDOUT); }

static void try_next(struct dial *d) {
    if (d->family == FAMILIES) {
        refuse(d);
        return;
    }
    int fd = socket(d->family == 0 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && (begin(d, fd) == 0 || errno == EINPROGRESS) && loop_add(&d->source, fd, EPOLLOUT, on_settled) == 0) {
        timer_set(&d->timer, DIAL_MS, on_timer);
        return;
    }
    int error = errno;
    if (fd >= 0) close(fd);
    d->source.fd = -1;
    give_up(d, error);
}

void dial_start(const struct request *r) {
    struct dial *d = dials;
    uint32_t port = request_u32(r, FIELD_CONNECT_PORT);
    if (!*ready) {
        reply_errno(connection, r->tag, ENXIO, "connect", "the pod has no namespaces yet: SANDBOX comes first");
        return;
    }
    if (port < 1 || port > UINT16_MAX) {
        reply_errno(connection, r->tag, EINVAL, "connect", "port %u", port);
        return;
    }
    while (d < dials + DIALS_MAX && d->tag != 0) d++;
    if (d == dials + DIALS_MAX) {
        reply_errno(connection, r->tag, EAGAIN, "connect", "more than %u connections are being made at once",
                    DIALS_MAX);
        return;
    }
    *d = (struct dial){.tag = r->tag, .port = (uint16_t)port, .source = {.fd = -1}};
    try_next(d);
}

void dial_forget(void) {
    for (struct dial *d = dials; d < dials + DIALS_MAX; d++)
        if (d->tag != 0) release(d);
}
