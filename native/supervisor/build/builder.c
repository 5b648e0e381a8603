#include "build/builder.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#include "base/kernel.h"
#include "cgroup/cgroup.h"

int builder_oom_score(struct builder *b) {
    const struct plan_op *op = plan_find(b->plan, PLAN_OOM_SCORE_ADJ);
    char value[16];
    if (!op) return 0;
    int len = snprintf(value, sizeof value, "%d", op->oom_score_adj.value);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    /* EACCES: lower than the supervisor may go without CAP_SYS_RESOURCE; the process keeps the supervisor's value. */
    if (fd < 0 || (write(fd, value, (size_t)len) < 0 && errno != EACCES))
        return error_fail(&b->err, errno, "oom-score-adj", value, "OOM score adjustment");
    close(fd);
    return 0;
}

int builder_start(const struct plan *container, int beside, bool own_pid, struct build_process *out,
                  struct error *err) {
    int cgroup = cgroup_open_v2(container), pidfd = -1;
    if (cgroup < 0 && errno != 0) return error_fail(err, errno, "cgroup-dir", "cgroup of the container", "version 2");
    struct k_clone_args args = {
        .flags = K_CLONE_PIDFD | K_CLONE_CLEAR_SIGHAND | (own_pid ? CLONE_NEWPID : 0) |
                 (cgroup >= 0 ? K_CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
    };
    pid_t pid = (pid_t)syscall(NR_clone3, &args, sizeof args);
    if (pid < 0 && errno == EBUSY && beside >= 0) {
        close(cgroup);
        cgroup = cgroup_open_v2_of(container, beside);
        args.cgroup = (uint64_t)cgroup;
        if (cgroup >= 0) pid = (pid_t)syscall(NR_clone3, &args, sizeof args);
    }
    if (pid == 0) return 0;
    int error = errno;
    if (cgroup >= 0) close(cgroup);
    *out = (struct build_process){pid, pidfd};
    return pid < 0 ? error_fail(err, error, "namespaces", "clone3", "new process") : 1;
}

struct builder builder_fresh(struct plan *plan, const struct build_env *env, const struct build_io *io) {
    return (struct builder){.plan = plan,
                            .env = env,
                            .io = io,
                            .sync = io->sync,
                            .pid_ns = -1,
                            .lsm_proc = -1,
                            .rootfs = -1,
                            .root = -1,
                            .dev = -1,
                            .devpts = -1,
                            .proc = -1,
                            .null_file = -1,
                            .empty_dir = -1,
                            .null_tree = -1,
                            .console = -1,
                            .host = -1,
                            .hook_state = -1};
}

int builder_check_terminal(const struct plan *plan, const struct build_io *io, struct error *err) {
    if (!plan_find(plan, PLAN_TERMINAL) == !io->terminal) return 0;
    return error_refuse(err, EINVAL, "asked for in one place only", "terminal", "plan and request", "terminal");
}
