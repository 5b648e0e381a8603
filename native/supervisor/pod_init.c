#include "pod_init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cause.h"
#include "kernel.h"

#define NOBODY 65535 /* as the field's pause containers */

_Noreturn static void run(int lifeline, int empty_mntns) {
    char byte = 0;
    prctl(PR_SET_NAME, "jangada-init");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Zombies whose parent ignores SIGCHLD are reaped by the kernel; that includes adopted ones. */
    signal(SIGCHLD, SIG_IGN);
    if (setns(empty_mntns, CLONE_NEWNS) < 0 || chdir("/") < 0)
        _exit(1);
    if (lifeline != 0 && dup2(lifeline, 0) < 0)
        _exit(1);
    k_close_range(1, ~0u, 0);
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
        _exit(1);
    /* A change of identity clears both. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    /* Nothing is ever written: the end of file is the end of the supervisor. */
    while (read(0, &byte, 1) != 0) {
    }
    _exit(0);
}

pid_t pod_init_start(int empty_mntns, int *lifeline, int *pidns, struct build_error *err) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return cause_set(err, errno, "pod init", "pipe");
    struct k_clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(NR_clone3, &args, sizeof args);
    if (pid == 0)
        run(ends[0], empty_mntns);
    int error = errno;
    close(ends[0]);
    if (pid < 0) {
        close(ends[1]);
        return cause_set(err, error, "pod init", "process of the shared PID namespace");
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
    *pidns = open(path, O_RDONLY | O_CLOEXEC);
    *lifeline = ends[1];
    if (*pidns >= 0)
        return pid;
    error = errno;
    kill(pid, SIGKILL);
    close(ends[1]);
    *lifeline = -1;
    return cause_set(err, error, "pod init", "its PID namespace %s", path);
}
