#include "build/first_process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd_pass.h"
#include "base/kernel.h"
#include "build/launch.h"
#include "build/userns.h"

/* What is handed over. */
enum { MOUNTS, CGROUPS, COUNT };

static int wait_for_namespaces(struct builder *b, int socket) {
    int fds[COUNT];
    /* The builder ends before the supervisor's deadline for it, and with it the wait. */
    if (fd_pass_receive(socket, fds, COUNT, -1) < 0) _exit(127);
    close(socket);
    if (setns(fds[CGROUPS], K_CLONE_NEWCGROUP) < 0 || setns(fds[MOUNTS], CLONE_NEWNS) < 0)
        return error_fail(&b->err, errno, "namespaces", "mount and cgroup", "of the container");
    close(fds[MOUNTS]);
    close(fds[CGROUPS]);
    b->pid_ns = -1; /* it is in it */
    return userns_become_root(&b->err);
}

int first_process_start(struct builder *b) {
    int pair[2];
    char path[32];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_fail(&b->err, errno, "namespaces", "socket", "of the first process");
    pid_t pid = userns_first_process(b->env->userns, b->env->empty_mntns, true);
    if (pid == 0) {
        close(pair[0]);
        return wait_for_namespaces(b, pair[1]) < 0 ? -1 : 1;
    }
    int error = errno;
    close(pair[1]);
    if (pid < 0) return error_fail(&b->err, error, "namespaces", "pid", "first process of a new namespace");
    b->first = pid;
    b->first_socket = pair[0];
    snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
    b->pid_ns = open(path, O_RDONLY | O_CLOEXEC);
    b->own_namespaces = open("/proc/self/ns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b->pid_ns < 0 || b->own_namespaces < 0)
        return error_fail(&b->err, errno, "namespaces", path, "of the first process");
    return 0;
}

_Noreturn void first_process_release(struct builder *b) {
    int fds[COUNT] = {openat(b->own_namespaces, "mnt", O_RDONLY | O_CLOEXEC),
                      openat(b->own_namespaces, "cgroup", O_RDONLY | O_CLOEXEC)};
    if (fds[MOUNTS] < 0 || fds[CGROUPS] < 0) {
        error_fail(&b->err, errno, "namespaces", "mount and cgroup", "of the container");
        launch_fail(b);
    }
    launch_name_payload(b, b->first);
    if (fd_pass_send(b->first_socket, fds, COUNT) < 0) {
        error_fail(&b->err, errno, "namespaces", "pid", "first process");
        launch_fail(b);
    }
    _exit(0);
}
