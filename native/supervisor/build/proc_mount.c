#include "build/proc_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#include "base/allow_list.h"
#include "base/fd_pass.h"
#include "base/kernel.h"
#include "build/credentials.h"
#include "build/mount.h"

#define CAP_SYS_ADMIN 21
#define CHILD_MS 5000

/* procfs takes its namespace from whoever calls fsopen; what is done with the descriptor may be done elsewhere. */
static _Noreturn void open_inside(void) {
    int fs = k_fsopen("proc");
    for (;;) syscall(SYS_exit_group, fs >= 0 && fd_pass_send(0, &fs, 1) == 0 ? 0 : 1);
}

/* In a child that nobody sees, which clones the one that others may look at: not dumpable, two descriptors, one capability, and a filter of
 * what it is there for. It tells that one's pid. */
static _Noreturn void enter_and_open(int pid_ns, int to, int told) {
    static const int calls[] = {SYS_clone, SYS_write, NR_fsopen, SYS_sendmsg, SYS_exit_group};
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (setns(pid_ns, CLONE_NEWPID) < 0 || dup2(to, 0) < 0 || dup2(told, 1) < 0) _exit(1);
    k_close_range(2, UINT_MAX, 0);
    credentials_keep_only(1ull << CAP_SYS_ADMIN);
    if (allow_list_load(calls, sizeof calls / sizeof *calls) < 0) _exit(1);
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT, 0, 0, 0, 0);
    if (pid == 0) open_inside();
    ssize_t n = pid < 0 ? -1 : syscall(SYS_write, 1, &pid, sizeof pid);
    for (;;) syscall(SYS_exit_group, n == (ssize_t)sizeof pid ? 0 : 1);
}

/* What came back is procfs, or it is not used. */
static int mount_context(int fs, const struct plan_strings *options, unsigned flags) {
    struct statfs st;
    if (mount_options(fs, options) < 0 || k_fsconfig(fs, K_FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) return -1;
    int fd = k_fsmount(fs, flags);
    if (fd < 0 || (fstatfs(fd, &st) == 0 && st.f_type == K_PROC_SUPER_MAGIC)) return fd;
    close(fd);
    errno = EPERM;
    return -1;
}

/* The child's pid, or -1. */
static pid_t start(int pid_ns, int to) {
    int told[2];
    pid_t inside = -1;
    if (pipe2(told, O_CLOEXEC) < 0) return -1;
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) enter_and_open(pid_ns, to, told[1]);
    close(told[1]);
    if (pid > 0 && read(told[0], &inside, sizeof inside) != (ssize_t)sizeof inside) inside = -1;
    if (pid > 0) waitpid(pid, NULL, 0);
    close(told[0]);
    return inside;
}

/* Kernels before 6.17 make a procfs only for the namespace of the caller: a child is cloned into it for that one call. The builder has
 * left the host's mount namespace, and the child shares nothing with it but a socket. */
static int by_child(int pid_ns, const struct plan_strings *options, unsigned flags) {
    int pair[2], fs = -1, fd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -1;
    pid_t pid = start(pid_ns, pair[1]);
    close(pair[1]);
    if (pid < 0) errno = ECHILD;
    if (pid > 0 && fd_pass_receive(pair[0], &fs, 1, CHILD_MS) == 0) fd = mount_context(fs, options, flags);
    int error = errno;
    if (pid > 0 && fd < 0) kill(pid, SIGKILL);
    if (pid > 0) waitpid(pid, NULL, 0);
    if (fs >= 0) close(fs);
    close(pair[0]);
    errno = error;
    return fd;
}

int proc_mount_for(int pid_ns, const struct plan_strings *options, unsigned flags) {
    int fd = mount_new("proc", options, pid_ns, flags);
    if (fd >= 0 || pid_ns < 0 || errno != EINVAL) return fd;
    return by_child(pid_ns, options, flags);
}
