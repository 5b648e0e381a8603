#include "proc_mount.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "credentials.h"
#include "kernel.h"
#include "mount.h"

#define CAP_SYS_ADMIN 21

/* In the namespace: makes the mount into the shared descriptor table and ends. It has no memory of its own to guard but what fork
 * copied, is not dumpable, and keeps the one capability fsopen asks for. */
static _Noreturn void make_inside(const struct plan_strings *options, unsigned flags) {
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    credentials_keep_only(1ull << CAP_SYS_ADMIN);
    int fd = mount_new("proc", options, -1, flags);
    _exit(fd >= 0 && fd < 255 ? fd : 255);
}

/* Kernels before 6.17 make a procfs only for the namespace of the caller: a child is cloned into it for that one purpose. */
static int by_child(int pid_ns, int own, const struct plan_strings *options, unsigned flags) {
    int status = 0;
    if (setns(pid_ns, CLONE_NEWPID) < 0) return -1;
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) make_inside(options, flags);
    int error = errno;
    bool back = setns(own, CLONE_NEWPID) == 0;
    if (pid < 0 || !back || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) == 255) {
        errno = pid < 0 ? error : EPERM;
        return -1;
    }
    return WEXITSTATUS(status);
}

int proc_mount_for(int pid_ns, int own_pid_ns, const struct plan_strings *options, unsigned flags) {
    int fd = mount_new("proc", options, pid_ns, flags);
    if (fd >= 0 || pid_ns < 0 || errno != EINVAL) return fd;
    return by_child(pid_ns, own_pid_ns, options, flags);
}
