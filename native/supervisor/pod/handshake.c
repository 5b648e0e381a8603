#include "pod/handshake.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/member.h"
#include "build/message.h"
#include "loop/child.h"

bool handshake_is_open(const struct handshake *h) { return h->source.fd >= 0; }

void handshake_end(struct handshake *h) {
    if (!handshake_is_open(h)) return;
    loop_close(&h->source);
    child_construction_end();
}

static void fail(struct handshake *h, int error, const char *what) {
    error_set(&h->error, error, "build", "%s", what);
    handshake_end(h);
    h->on_failed(h);
}

/* At most one descriptor is taken, and only where the protocol has one; any other is closed. */
static int take_descriptor(struct msghdr *header) {
    int taken = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (taken < 0)
                taken = fd;
            else
                close(fd);
        }
    }
    return taken;
}

static void handle(struct handshake *h, struct build_message *m, int fd) {
    bool console = m->type == BUILD_CONSOLE && h->terminal && h->console < 0 && !h->ready && fd >= 0;
    if (fd >= 0 && !console) close(fd);
    if (console) {
        h->console = fd;
    } else if (m->type == BUILD_PAYLOAD && !h->payload && !h->ready && h->console < 0 && m->pid > 1 && fd < 0 &&
               child_is_unclaimed(m->pid)) {
        h->payload = true;
        h->pid = m->pid;
        h->on_payload(h);
    } else if (m->type == BUILD_HOOKS && h->on_hooks && h->create && !h->awaiting && !h->payload && !h->ready &&
               fd < 0) {
        h->awaiting = true;
        h->on_hooks(h);
    } else if (m->type == BUILD_READY && h->create && !h->ready && (h->console >= 0) == h->terminal && fd < 0) {
        h->ready = true;
        h->on_ready(h);
    } else if (m->type == BUILD_FAILED && fd < 0) {
        m->step[sizeof m->step - 1] = m->detail[sizeof m->detail - 1] = 0;
        h->error.error = m->error;
        memcpy(h->error.step, m->step, sizeof h->error.step);
        memcpy(h->error.detail, m->detail, sizeof h->error.detail);
        handshake_end(h);
        h->on_failed(h);
    } else {
        fail(h, EPROTO, "message of the builder out of order");
    }
}

static void finished(struct handshake *h) {
    bool died = h->create && !h->released; /* without a word: what of, its wait status tells */
    handshake_end(h);
    if (died)
        h->on_failed(h);
    else
        h->on_executed(h);
}

void handshake_drain(struct handshake *h) {
    while (handshake_is_open(h)) {
        struct build_message message;
        char control[CMSG_SPACE(4 * sizeof(int))];
        struct iovec iov = {&message, sizeof message};
        struct msghdr header = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        ssize_t n = recvmsg(h->source.fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n == 0 || (n < 0 && errno == ECONNRESET)) {
            finished(h);
            return;
        }
        int fd = n > 0 ? take_descriptor(&header) : -1;
        if (n != sizeof message || header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
            if (fd >= 0) close(fd);
            fail(h, EPROTO, "malformed message of the builder");
            return;
        }
        handle(h, &message, fd);
    }
}

static void on_ready(struct source *source, uint32_t events) {
    (void)events;
    handshake_drain(container_of(source, struct handshake, source));
}

int handshake_begin(struct handshake *h, int fd, pid_t builder, bool create, bool terminal) {
    h->create = create;
    h->terminal = terminal;
    h->awaiting = h->ready = h->released = h->payload = false;
    h->console = -1;
    h->pid = h->builder = builder;
    h->error = (struct error){0};
    if (loop_add(&h->source, fd, EPOLLIN, on_ready) < 0) return -1;
    child_construction_begin();
    return 0;
}

int handshake_continue(struct handshake *h) {
    static const char go = 1;
    ssize_t n = send(h->source.fd, &go, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n == 1 ? 0 : -1;
}

int handshake_release(struct handshake *h) {
    h->released = true;
    return handshake_continue(h);
}
