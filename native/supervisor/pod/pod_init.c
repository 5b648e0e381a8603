#include "pod/pod_init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/harden.h"
#include "base/kernel.h"
#include "build/env.h"
#include "build/userns.h"

#define NOBODY 65535 /* as the field's pause containers */

#define READY_MS 10000

_Noreturn static void run(int lifeline, int ready, uint32_t id) {
    char byte = 0;
    harden_set_title("jangada-init");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Zombies whose parent ignores SIGCHLD are reaped by the kernel; that includes adopted ones. */
    signal(SIGCHLD, SIG_IGN);
    if (chdir("/") < 0) _exit(1);
    if (dup2(lifeline, 0) < 0 || dup2(ready, 1) < 0) _exit(1);
    k_close_range(2, ~0u, 0);
    if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0) _exit(1);
    /* A change of identity clears both. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (write(1, &byte, 1) != 1) _exit(1);
    close(1);
    /* Nothing is ever written: the end of file is the end of the supervisor. */
    while (read(0, &byte, 1) != 0) {
    }
    _exit(0);
}

/* Nobody may join the namespace before its init has given everything away. */
static bool wait_ready(int ready) {
    struct pollfd wait = {.fd = ready, .events = POLLIN};
    char byte;
    int n;
    while ((n = poll(&wait, 1, READY_MS)) < 0 && errno == EINTR) {
    }
    if (n == 0) errno = ETIMEDOUT;
    if (n <= 0) return false;
    errno = EPERM;
    return read(ready, &byte, 1) == 1;
}

static pid_t start(int lifeline, int ready, const struct build_env *env) {
    struct k_clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
    if (env->userns >= 0) {
        pid_t pid = userns_first_process(env->userns, env->empty_mntns, false);
        if (pid == 0) run(lifeline, ready, env->map.length <= NOBODY ? env->map.length - 1 : NOBODY);
        return pid;
    }
    pid_t pid = (pid_t)syscall(NR_clone3, &args, sizeof args);
    if (pid == 0 && setns(env->empty_mntns, CLONE_NEWNS) < 0) _exit(1);
    if (pid == 0) run(lifeline, ready, NOBODY);
    return pid;
}

pid_t pod_init_start(const struct build_env *env, int *lifeline, int *pidns, struct error *err) {
    int life[2], ready[2];
    char path[64];
    if (pipe2(life, O_CLOEXEC) < 0) return error_set(err, errno, "pod init", "pipe");
    if (pipe2(ready, O_CLOEXEC) < 0) {
        int error = errno;
        close(life[0]);
        close(life[1]);
        return error_set(err, error, "pod init", "pipe");
    }
    pid_t pid = start(life[0], ready[1], env);
    int error = errno;
    close(life[0]);
    close(ready[1]);
    *pidns = -1;
    if (pid > 0) {
        snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
        *pidns = open(path, O_RDONLY | O_CLOEXEC);
        error = errno;
        if (*pidns >= 0 && !wait_ready(ready[0])) {
            error = errno;
            close(*pidns);
            *pidns = -1;
        }
    }
    close(ready[0]);
    *lifeline = life[1];
    if (*pidns >= 0) return pid;
    if (pid > 0) kill(pid, SIGKILL); /* reaped as an orphan */
    close(life[1]);
    *lifeline = -1;
    return error_set(err, error, "pod init", "first process of the shared PID namespace");
}
