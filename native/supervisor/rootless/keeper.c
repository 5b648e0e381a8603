#include "rootless/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/harden.h"
#include "base/kernel.h"
#include "rootless/inside.h"

#define WORDS_MAX 64 /* of a command */
#define READY_FD 3   /* where a command that stays may say that it is ready */

/* What the keeper tells whoever started it. */
struct answer {
    pid_t inside;
    struct error err;
};

static int write_file(pid_t pid, const char *name, const char *text) {
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1, error = errno;
    if (fd >= 0) close(fd);
    errno = error;
    return done;
}

/* The keeper waits for its signals; what it starts takes them. */
static void take_signals(void) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Ends in the exec. */
static _Noreturn void become(char *const *words, pid_t inside, int ready) {
    char pid[16], *argv[WORDS_MAX + 1];
    int n = 0;
    take_signals();
    snprintf(pid, sizeof pid, "%d", inside);
    for (; words[n] && n < WORDS_MAX; n++) argv[n] = strcmp(words[n], "PID") == 0 ? pid : words[n];
    argv[n] = NULL;
    if (ready == READY_FD)
        fcntl(ready, F_SETFD, 0);
    else
        dup2(ready, READY_FD);
    k_close_range(READY_FD + 1, ~0u, K_CLOSE_RANGE_CLOEXEC);
    execv(argv[0], argv);
    _exit(127);
}

/* Runs a command until it has ended well or says that it is ready and goes on. */
static int command(char *const *words, pid_t inside, struct error *err) {
    int ready[2], status = 0;
    char byte;
    if (pipe2(ready, O_CLOEXEC) < 0) return error_set(err, errno, "rootless", "pipe");
    pid_t pid = fork();
    if (pid == 0) become(words, inside, ready[1]);
    close(ready[1]);
    if (pid < 0) return error_set(err, errno, "rootless", "%s", words[0]);
    ssize_t told = read(ready[0], &byte, 1);
    close(ready[0]);
    if (told == 1) return 0;
    if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_set(err, ECHILD, "rootless", "%s failed with status %d, see its message", words[0],
                         WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return 0;
}

/* A single ID needs nobody's help; without it the group's would let a user out of groups that are denied something. */
static int map_single(pid_t pid, struct error *err) {
    char line[32];
    snprintf(line, sizeof line, "0 %u 1\n", getuid());
    if (write_file(pid, "uid_map", line) < 0) return error_set(err, errno, "rootless", "map of a single user");
    snprintf(line, sizeof line, "0 %u 1\n", getgid());
    if (write_file(pid, "setgroups", "deny") < 0 || write_file(pid, "gid_map", line) < 0)
        return error_set(err, errno, "rootless", "map of a single group");
    return 0;
}

static int map_ids(const struct rootless_plan *p, pid_t pid, struct error *err) {
    if (!p->uid_map[0] || !p->gid_map[0]) return map_single(pid, err);
    return command(p->uid_map, pid, err) < 0 ? -1 : command(p->gid_map, pid, err);
}

static _Noreturn void inside(const struct rootless_plan *p, int go, int answer) {
    struct error err = {0};
    char byte;
    take_signals();
    if (read(go, &byte, 1) != 1) _exit(1);
    /* The kernel forgets it with every change of ids. */
    if (inside_set_up(p->binds, &err) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        error_set(&err, errno, "rootless", "end with the keeper");
    if (write(answer, &err, sizeof err) != (ssize_t)sizeof err || err.error) _exit(1);
    harden_set_title("jangada-inside");
    k_close_range(0, ~0u, 0);
    for (;;) pause();
}

static pid_t make(const struct rootless_plan *p, struct error *err) {
    int go[2], answer[2];
    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(answer, O_CLOEXEC) < 0) return error_set(err, errno, "rootless", "pipe");
    struct k_clone_args args = {.flags = INSIDE_NAMESPACES, .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(NR_clone3, &args, sizeof args);
    if (pid == 0) {
        close(go[1]);
        inside(p, go[0], answer[1]);
    }
    close(answer[1]);
    if (pid < 0) return error_set(err, errno, "rootless", "new user namespace; `jangada check --rootless` tells more");
    if (map_ids(p, pid, err) < 0) return -1;
    struct error told = {.error = ECHILD, .detail = "ended: first process of the user namespace"};
    if (write(go[1], "", 1) != 1 || read(answer[0], &told, sizeof told) != (ssize_t)sizeof told || told.error) {
        *err = told;
        return -1;
    }
    return p->network[0] && command(p->network, pid, err) < 0 ? -1 : pid;
}

/* A command that has gone to the background is a child of the keeper's, too: it is their subreaper. */
static void end_children(void) {
    char path[48], text[4096] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    if (read(fd, text, sizeof text - 1) > 0)
        for (char *at = text, *next; (next = strchr(at, ' ')); at = next + 1) kill(atoi(at), SIGTERM);
    close(fd);
}

/* Until the process inside is gone. */
static _Noreturn void keep(pid_t pid, const sigset_t *signals) {
    for (;;) {
        int signal = sigwaitinfo(signals, NULL);
        if (signal == SIGTERM) kill(pid, SIGKILL);
        if (signal != SIGCHLD) continue;
        for (pid_t ended; (ended = waitpid(-1, NULL, WNOHANG)) > 0;)
            if (ended == pid) {
                end_children();
                _exit(0);
            }
    }
}

static _Noreturn void keeper(const struct rootless_plan *p, int record, int told) {
    struct answer answer = {0};
    sigset_t signals;
    char text[16];
    setsid();
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGHUP, SIG_IGN);
    answer.inside = make(p, &answer.err);
    int len = snprintf(text, sizeof text, "%d\n", answer.inside);
    if (answer.inside > 0 && (ftruncate(record, 0) < 0 || pwrite(record, text, (size_t)len, 0) != len))
        answer.inside = error_set(&answer.err, errno, "rootless", "%s", p->record);
    int null = harden_open_null();
    if (write(told, &answer, sizeof answer) != (ssize_t)sizeof answer || answer.inside < 0) {
        end_children();
        _exit(1);
    }
    close(told);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    harden_set_title("jangada-keeper");
    keep(answer.inside, &signals);
}

pid_t keeper_start(const struct rootless_plan *p, int record, struct error *err) {
    int told[2];
    struct answer answer = {.inside = -1};
    if (ftruncate(record, 0) < 0 || pipe2(told, O_CLOEXEC) < 0)
        return error_set(err, errno, "rootless", "%s", p->record);
    pid_t pid = fork();
    if (pid == 0) {
        close(told[0]);
        keeper(p, record, told[1]);
    }
    close(told[1]);
    if (pid < 0 || read(told[0], &answer, sizeof answer) != (ssize_t)sizeof answer)
        error_set(&answer.err, ECHILD, "rootless", "keeper of the namespaces");
    close(told[0]);
    *err = answer.err;
    return answer.inside;
}
