#include "build/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/kernel.h"
#include "base/keyring.h"
#include "base/unshared.h"
#include "build/credentials.h"
#include "build/hook.h"
#include "build/message.h"
#include "build/seccomp.h"
#include "build/terminal.h"

static uint64_t ignored_signals;
static bool probed;

void launch_probe(void) {
    struct sigaction action;
    for (int signal = 1; !probed && signal < 65; signal++)
        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            ignored_signals |= 1ull << (signal - 1);
    probed = true;
}

static void send_message(struct builder *b, const struct build_message *message, int fd) {
    struct iovec iov = {(void *)(uintptr_t)message, sizeof *message};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd >= 0) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control;
        control.header =
            (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    }
    /* write(2) where it will do: a filter that refuses sendmsg may be in force, one that refuses write cannot run a program. A
     * supervisor that is gone leaves nobody to report to. */
    if ((fd < 0 ? write(b->sync, message, sizeof *message) : sendmsg(b->sync, &msg, MSG_NOSIGNAL)) < 0) _exit(127);
}

void launch_name_payload(struct builder *b, pid_t pid) {
    struct build_message message = {.type = BUILD_PAYLOAD, .pid = pid};
    send_message(b, &message, -1);
}

void launch_hand_over_console(struct builder *b) {
    struct build_message message = {.type = BUILD_CONSOLE};
    send_message(b, &message, b->console);
    close(b->console);
}

static void say_and_wait(struct builder *b, uint32_t type) {
    struct build_message message = {.type = type};
    char go;
    send_message(b, &message, -1);
    if (read(b->sync, &go, 1) != 1) _exit(127);
}

void launch_wait(struct builder *b) { say_and_wait(b, BUILD_READY); }
void launch_await_hooks(struct builder *b) { say_and_wait(b, BUILD_HOOKS); }

_Noreturn void launch_fail(struct builder *b) {
    struct build_message message = {.type = BUILD_FAILED, .error = b->err.error};
    memcpy(message.step, b->err.step, sizeof message.step);
    memcpy(message.detail, b->err.detail, sizeof message.detail);
    send_message(b, &message, -1);
    _exit(127);
}

/* Closes everything above stderr but these, in one pass over the gaps. */
static void close_all_but(int *keep, int count) {
    unsigned first = 3;
    for (int i = 1; i < count; i++)
        for (int j = i; j > 0 && keep[j] < keep[j - 1]; j--) {
            int swap = keep[j];
            keep[j] = keep[j - 1];
            keep[j - 1] = swap;
        }
    for (int i = 0; i < count; i++) {
        if (keep[i] < (int)first) continue;
        if (keep[i] > (int)first) k_close_range(first, (unsigned)keep[i] - 1, 0);
        first = (unsigned)keep[i] + 1;
    }
    k_close_range(first, UINT_MAX, 0);
}

static int place_stdio(struct builder *b) {
    int from[3];
    for (int fd = 0; fd < 3; fd++) {
        from[fd] = b->io->stdio[fd];
        if (from[fd] >= 0 && from[fd] < 3) from[fd] = fcntl(from[fd], F_DUPFD_CLOEXEC, 3);
        if (from[fd] < 0) return error_fail(&b->err, errno, "exec", "stdio", "descriptor");
    }
    for (int fd = 0; fd < 3; fd++)
        if (dup2(from[fd], fd) < 0) return error_fail(&b->err, errno, "exec", "stdio", "descriptor");
    return 0;
}

void launch_begin(struct builder *b, int keep, int keep2) {
    /* Before anything else: no process of a container may look into this one (CVE-2016-9962, CVE-2026-41163). */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) _exit(127);
    unshare_stack();
    sigset_t none;
    sigemptyset(&none);
    for (int signal = 1; ignored_signals >> (signal - 1) && signal < 64; signal++)
        if (ignored_signals >> (signal - 1) & 1)
            (void)!sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (!b->io->terminal && place_stdio(b) < 0) launch_fail(b);
    int kept[] = {b->sync, keep, keep2, b->pid_ns, b->env->userns};
    close_all_but(kept, 5);
}

/* A second process, cloned into the namespace that the first one may not be seen in: it is born with identity and filter, because others
 * may trace it from its first instruction on. It waits until its pid has been told, so that the supervisor hears in one order only. Returns
 * in the new process. */
static void clone_into_pid_ns(struct builder *b) {
    int gate[2];
    char byte;
    if (pipe2(gate, O_CLOEXEC) < 0) {
        error_fail(&b->err, errno, "namespaces", "pid", "gate");
        launch_fail(b);
    }
    /* clone(2): a filter that is already in force answers clone3 with ENOSYS. */
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT, 0, 0, 0, 0);
    if (pid < 0 && (errno == EPERM || errno == ENOSYS)) {
        error_refuse(&b->err, EPERM, "refused by the seccomp profile", "namespaces", "clone", "PID namespace");
        launch_fail(b);
    }
    if (pid < 0 && errno == ENOMEM) { /* what clone answers when the namespace's init has ended, pid_namespaces(7) */
        error_refuse(&b->err, ESRCH, "its first process has ended", "namespaces", "pid", "PID namespace");
        launch_fail(b);
    }
    if (pid < 0) {
        error_fail(&b->err, errno, "namespaces", "pid", "clone into the namespace");
        launch_fail(b);
    }
    if (pid > 0) {
        launch_name_payload(b, pid);
        _exit(write(gate[1], "", 1) == 1 ? 0 : 127);
    }
    close(gate[1]);
    if (read(gate[0], &byte, 1) != 1) _exit(127);
    close(gate[0]);
}

static void exec_program(struct builder *b) {
    const struct plan_op *op = plan_find(b->plan, PLAN_EXEC);
    const char *name = op->exec.argv.at[0], *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *const *argv = (char *const *)(uintptr_t)op->exec.argv.at, *const *env =
                                                                        (char *const *)(uintptr_t)op->exec.env.at;
    char candidate[4096];
    int error = ENOENT;
    if (strchr(name, '/')) {
        execve(name, argv, env);
        error_fail(&b->err, errno, "exec", name, "command");
        return;
    }
    for (uint32_t i = 0; i < op->exec.env.count; i++)
        if (strncmp(op->exec.env.at[i], "PATH=", 5) == 0) path = op->exec.env.at[i] + 5;
    for (;; path++) {
        size_t len = strcspn(path, ":");
        int used = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)len, path, name);
        /* An empty or relative entry would run a program out of the working directory. */
        if (path[0] == '/' && used < (int)sizeof candidate) {
            execve(candidate, argv, env);
            if (errno != ENOENT && errno != ENOTDIR) error = errno;
        }
        path += len;
        if (*path == 0) break;
    }
    error_fail(&b->err, error, "exec", name, "command, searched in PATH");
}

_Noreturn void launch_finish(struct builder *b, const struct plan_credentials *c, bool wait) {
    const struct plan_op *filter = plan_find(b->plan, PLAN_SECCOMP);
    if (b->pid_ns >= 0 && setns(b->pid_ns, CLONE_NEWPID) < 0) {
        error_fail(&b->err, errno, "namespaces", "pid", "PID namespace");
        launch_fail(b);
    }
    bool second = b->pid_ns >= 0;
    if (keyring_join_new(&b->err) < 0) launch_fail(b);
    if (credentials_apply(c, filter, &b->err) < 0) launch_fail(b);
    /* What stays open from here on is stdio, the socket, what hooks read and, for a moment, the console; nothing of it survives execve. */
    int kept[] = {b->sync, b->console, b->hook_state};
    close_all_but(kept, 3);
    k_close_range(3, UINT_MAX, K_CLOSE_RANGE_CLOEXEC);
    bool unfiltered = filter && c->no_new_privileges;
    if (second) {
        if (unfiltered && seccomp_load(filter, &b->err) < 0) launch_fail(b);
        unfiltered = false;
        clone_into_pid_ns(b);
    }
    setsid();
    if (b->io->terminal) {
        if (terminal_control(&b->err) < 0) launch_fail(b);
        launch_hand_over_console(b);
    }
    if (unfiltered && seccomp_load(filter, &b->err) < 0) launch_fail(b);
    if (wait) launch_wait(b);
    if (hooks_before_exec(b) == 0) exec_program(b);
    launch_fail(b);
}
