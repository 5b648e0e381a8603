#include "base/fd_pass.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(FD_PASS_MAX * sizeof(int))];
};

int fd_pass_send(int to, const int *fds, int count) {
    char byte = 0;
    struct iovec iov = {&byte, 1};
    size_t size = (size_t)count * sizeof(int);
    union control control = {.header = {.cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(size)};
    memcpy(CMSG_DATA(&control.header), fds, size);
    return sendmsg(to, &msg, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

int fd_pass_receive(int from, int *fds, int count, int timeout_ms) {
    char byte;
    struct iovec iov = {&byte, 1};
    union control control;
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct pollfd wait = {.fd = from, .events = POLLIN};
    int ready;
    while ((ready = poll(&wait, 1, timeout_ms)) < 0 && errno == EINTR) {
    }
    if (ready == 0) errno = ETIMEDOUT;
    if (ready <= 0) return -1;
    ssize_t n = recvmsg(from, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0) errno = EPIPE;
        return -1;
    }
    struct cmsghdr *header = CMSG_FIRSTHDR(&msg);
    int came = header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS
                   ? (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int))
                   : 0;
    if (came == count && !(msg.msg_flags & MSG_CTRUNC)) {
        memcpy(fds, CMSG_DATA(header), (size_t)count * sizeof(int));
        return 0;
    }
    for (int i = 0; i < came; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(header) + (size_t)i * sizeof fd, sizeof fd);
        close(fd);
    }
    errno = EPROTO;
    return -1;
}
