#include "pod/pod_init.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/allow_list.h"
#include "base/error.h"
#include "base/harden.h"
#include "base/kernel.h"
#include "base/unshared.h"
#include "build/env.h"
#include "build/userns.h"

#define NOBODY 65535 /* as the field's pause containers */

#define READY_MS 10000
#define OOM_SCORE "-998" /* as the field's: it goes last of its pod */
#define STACK_BYTES (128u << 10)

_Noreturn static void run(int lifeline, uint32_t id) {
    static const int calls[] = {SYS_read, SYS_write, SYS_rt_sigreturn, SYS_exit_group};
    static const struct rlimit small = {STACK_BYTES, STACK_BYTES}, none = {0, 0};
    char byte = 0;
    unshare_stack();
    harden_set_title("jangada-init");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Zombies whose parent ignores SIGCHLD are reaped by the kernel; that includes adopted ones. */
    signal(SIGCHLD, SIG_IGN);
    if (chdir("/") < 0) _exit(1);
    if (dup2(lifeline, 0) < 0) _exit(1);
    k_close_range(1, ~0u, 0);
    if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0) _exit(1);
    /* A change of identity clears both. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0);
    if (setrlimit(RLIMIT_STACK, &small) < 0 || setrlimit(RLIMIT_MEMLOCK, &none) < 0) _exit(1);
    /* Whoever makes it compute takes only what nobody wants. */
    (void)sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || allow_list_load(calls, sizeof calls / sizeof *calls) < 0)
        _exit(1);
    if (write(0, &byte, 1) != 1) _exit(1);
    /* Nothing is ever written: the end of file is the end of the supervisor. */
    while (read(0, &byte, 1) != 0) {
    }
    for (;;) syscall(SYS_exit_group, 0); /* what the filter lets through, whatever _exit does besides */
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

static pid_t start(int lifeline, const struct build_env *env) {
    struct k_clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
    if (env->userns >= 0) {
        pid_t pid = userns_first_process(env->userns, env->empty_mntns, false);
        if (pid == 0) run(lifeline, env->map.length <= NOBODY ? env->map.length - 1 : NOBODY);
        return pid;
    }
    pid_t pid = (pid_t)syscall(NR_clone3, &args, sizeof args);
    if (pid == 0 && setns(env->empty_mntns, CLONE_NEWNS) < 0) _exit(1);
    if (pid == 0) run(lifeline, NOBODY);
    return pid;
}

/* The supervisor's own would keep the kernel from it whatever it comes to hold. EACCES: lower than the supervisor itself may go. */
static void lower_score(pid_t pid) {
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)!write(fd, OOM_SCORE, sizeof OOM_SCORE - 1);
    close(fd);
}

/* Its PID namespace, when it is ready; -1 with errno. */
static int settle(pid_t pid, int life) {
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
    int pidns = open(path, O_RDONLY | O_CLOEXEC);
    lower_score(pid);
    if (pidns < 0 || wait_ready(life)) return pidns;
    int error = errno;
    close(pidns);
    errno = error;
    return -1;
}

pid_t pod_init_start(const struct build_env *env, int *lifeline, int *pidns, struct error *err) {
    int life[2];
    *lifeline = *pidns = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life) < 0)
        return error_set(err, errno, "pod init", "socket");
    pid_t pid = start(life[0], env);
    int error = errno;
    close(life[0]);
    if (pid > 0) {
        *pidns = settle(pid, life[1]);
        error = errno;
    }
    if (*pidns >= 0) {
        *lifeline = life[1];
        return pid;
    }
    if (pid > 0) kill(pid, SIGKILL); /* reaped as an orphan */
    close(life[1]);
    return error_set(err, error, "pod init", "first process of the shared PID namespace");
}
