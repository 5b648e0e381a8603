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
#include <sys/wait.h>
#include <unistd.h>

#include "base/allow_list.h"
#include "base/error.h"
#include "base/harden.h"
#include "base/kernel.h"
#include "base/privileges.h"
#include "base/unshared.h"
#include "build/env.h"
#include "build/lsm.h"
#include "build/userns.h"
#include "cgroup/cgroup.h"
#include "cgroup/end.h"
#include "plan/plan.h"

#define NOBODY 65535 /* as the field's pause containers */

#define READY_MS 10000
#define OOM_SCORE "-998" /* as the field's: it goes last of its pod */
#define STACK_BYTES (128u << 10)

/* What the init is started with. Pipes: what policies let a labelled process share with the runtime that made it. */
struct start {
    const struct plan *plan;
    int life[2], ready[2]; /* ends to read and to write */
    int proc;              /* private procfs to set the label through, or -1 */
};

/* Where the init has them. */
enum { LIFELINE, READY, PROC };

static int arrange_descriptors(const struct start *start) {
    if (dup2(start->life[0], LIFELINE) < 0 || dup2(start->ready[1], READY) < 0) return -1;
    if (start->proc >= 0 && dup2(start->proc, PROC) < 0) return -1;
    return k_close_range(start->proc < 0 ? PROC : PROC + 1, ~0u, 0);
}

static int give_all_away(const struct plan *plan, uint32_t id, struct error *err) {
    static const int calls[] = {SYS_read, SYS_write, SYS_close, SYS_rt_sigreturn, SYS_exit_group};
    static const struct rlimit small = {STACK_BYTES, STACK_BYTES}, none = {0, 0};
    if ((privileges_set_groups() && setgroups(0, NULL) < 0) || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
        return error_set(err, errno, "pod init", "identity");
    /* A change of identity clears both. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0);
    if (lsm_become(plan, PROC, err) < 0) return -1;
    close(PROC);
    if (setrlimit(RLIMIT_STACK, &small) < 0 || setrlimit(RLIMIT_MEMLOCK, &none) < 0)
        return error_set(err, errno, "pod init", "limits");
    /* Whoever makes it compute takes only what nobody wants. */
    (void)sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || allow_list_load(calls, sizeof calls / sizeof *calls) < 0)
        return error_set(err, errno, "pod init", "filter");
    return 0;
}

_Noreturn static void run(const struct start *start, uint32_t id) {
    struct error err = {0};
    char byte;
    unshare_stack();
    harden_set_title("jangada-init");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Zombies whose parent ignores SIGCHLD are reaped by the kernel; that includes adopted ones. */
    signal(SIGCHLD, SIG_IGN);
    if (chdir("/") < 0 || arrange_descriptors(start) < 0) _exit(1);
    bool done = give_all_away(start->plan, id, &err) == 0;
    if (write(READY, &err, sizeof err) != (ssize_t)sizeof err) done = false;
    close(READY);
    /* Nothing is ever written: the end of file is the end of the supervisor. */
    while (done && read(LIFELINE, &byte, 1) != 0) {
    }
    for (;;) syscall(SYS_exit_group, 0); /* what the filter lets through, whatever _exit does besides */
}

static int await_readable(int fd) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int n;
    while ((n = poll(&wait, 1, READY_MS)) < 0 && errno == EINTR) {
    }
    return n;
}

/* Nobody may join the namespace before its init has given everything away, its end of this pipe last. */
static int wait_ready(int ready, struct error *err) {
    struct error said = {.error = EPERM, .step = "pod init"};
    char end;
    int n = await_readable(ready);
    if (n > 0 && read(ready, &said, sizeof said) == (ssize_t)sizeof said && (n = await_readable(ready)) > 0 &&
        read(ready, &end, 1) == 0) {
        if (said.error) *err = said;
        return said.error ? -1 : 0;
    }
    return error_set(err, n == 0 ? ETIMEDOUT : EPERM, "pod init", "first process of the shared PID namespace");
}

static pid_t start_process(const struct start *start, const struct build_env *env) {
    struct k_clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
    if (env->userns >= 0) {
        pid_t pid = userns_first_process(env->userns, env->empty_mntns, false);
        if (pid == 0) run(start, env->map.length <= NOBODY ? env->map.length - 1 : NOBODY);
        return pid;
    }
    pid_t pid = (pid_t)syscall(NR_clone3, &args, sizeof args);
    if (pid == 0 && setns(env->empty_mntns, CLONE_NEWNS) < 0) _exit(1);
    if (pid == 0) run(start, privileges_set_groups() ? NOBODY : 0); /* the only ID there is */
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

/* Its PID namespace, when it is ready; -1 with *err. */
static int settle(pid_t pid, struct start *start, struct error *err) {
    char path[48];
    /* Else nobody would notice that it is gone. */
    close(start->ready[1]);
    start->ready[1] = -1;
    snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
    int pidns = open(path, O_RDONLY | O_CLOEXEC);
    if (pidns < 0) return error_set(err, errno, "pod init", "%s", path);
    lower_score(pid);
    if (cgroup_move(start->plan, pid, err) == 0 && wait_ready(start->ready[0], err) == 0 &&
        lsm_verify(start->plan, start->proc, pid, err) == 0)
        return pidns;
    close(pidns);
    return -1;
}

static pid_t begin(struct start *start, const struct build_env *env, int *pidns, struct error *err) {
    if (pipe2(start->life, O_CLOEXEC) < 0 || pipe2(start->ready, O_CLOEXEC) < 0)
        return error_set(err, errno, "pod init", "pipe");
    if (lsm_open(start->plan, &start->proc, err) < 0) return -1;
    pid_t pid = start_process(start, env);
    if (pid < 0) return error_set(err, errno, "pod init", "first process of the shared PID namespace");
    if ((*pidns = settle(pid, start, err)) >= 0) return pid;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return -1;
}

static void close_all(struct start *start) {
    int *ends[] = {&start->life[0], &start->life[1], &start->ready[0], &start->ready[1], &start->proc};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (*ends[i] >= 0) close(*ends[i]);
}

pid_t pod_init_start(const struct build_env *env, const struct plan *plan, int *lifeline, int *pidns,
                     struct error *err) {
    struct start start = {.plan = plan, .life = {-1, -1}, .ready = {-1, -1}, .proc = -1};
    *lifeline = *pidns = -1;
    if (cgroup_make(plan, err) < 0) return -1;
    pid_t pid = begin(&start, env, pidns, err);
    if (pid > 0) {
        *lifeline = start.life[1];
        start.life[1] = -1;
    }
    close_all(&start);
    if (pid < 0) cgroup_unmake(plan);
    return pid;
}
