#include "build/hook_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/error.h"
#include "base/kernel.h"

/* Its end is noticed by the end of its pipe, or, when somebody else holds that, by looking again. */
#define LOOK_MS 20
#define SAID_MAX 110 /* what an error has room for, beside the hook's path */
/* As the shell has them. */
#define EXIT_NOT_EXECUTED 127

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static const char *role_of(const struct plan_op *op) {
    return op->hook.stage == PLAN_HOOK_STAGE_CREATE_CONTAINER ? "createContainer hook" : "startContainer hook";
}

/* `report` closes with execve; what comes through it is why that failed. */
static _Noreturn void become(struct builder *b, const struct plan_op *op, int output, int report,
                             int (*enter)(struct builder *)) {
    setsid();
    umask(022);
    if (enter(b) == 0 && lseek(b->hook_state, 0, SEEK_SET) == 0 && chdir("/") == 0 && dup2(b->hook_state, 0) == 0 &&
        dup2(output, 1) == 1 && dup2(output, 2) == 2) {
        k_close_range(3, ~0u, K_CLOSE_RANGE_CLOEXEC);
        execve(op->hook.path, (char *const *)(uintptr_t)op->hook.argv.at, (char *const *)(uintptr_t)op->hook.env.at);
    }
    int error = b->err.error ? b->err.error : errno;
    ssize_t ignored = write(report, &error, sizeof error);
    (void)ignored;
    _exit(EXIT_NOT_EXECUTED);
}

/* The last that it has said: a program tells why it fails before it ends. */
struct said {
    char text[SAID_MAX + 1];
    size_t len;
};

static void keep(struct said *s, const char *data, size_t len) {
    size_t fresh = len < SAID_MAX ? len : SAID_MAX, old = s->len + fresh > SAID_MAX ? SAID_MAX - fresh : s->len;
    memmove(s->text, s->text + s->len - old, old);
    memcpy(s->text + old, data + len - fresh, fresh);
    s->len = old + fresh;
}

/* False at the end of the pipe. */
static bool take(int fd, struct said *s) {
    char data[4096];
    ssize_t n = read(fd, data, sizeof data);
    if (n > 0) keep(s, data, (size_t)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* One line without what a terminal or a log would take for more than text. */
static const char *line_of(struct said *s) {
    size_t start = 0;
    for (size_t i = 0; i < s->len; i++)
        if ((unsigned char)s->text[i] < ' ' || s->text[i] == 0x7f) s->text[i] = ' ';
    while (s->len > 0 && s->text[s->len - 1] == ' ') s->len--;
    s->text[s->len] = 0;
    while (((unsigned char)s->text[start] & 0xc0) == 0x80) start++; /* the rest of a cut character */
    while (s->text[start] == ' ') start++;
    return s->text + start;
}

/* Until it has ended, or true when it had to be killed. */
static bool wait_for(pid_t pid, int output, int64_t deadline, struct said *s, int *status) {
    bool open = true, late = false;
    pid_t ended;
    while ((ended = waitpid(pid, status, WNOHANG)) == 0) {
        struct pollfd event = {.fd = open ? output : -1, .events = POLLIN};
        if (poll(&event, 1, open ? LOOK_MS : 1) > 0) open = take(output, s);
        if (late || now_ms() < deadline) continue;
        late = true;
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
    }
    /* What it said at last; of what somebody it left behind goes on saying, no more. */
    for (unsigned reads = 0; open && reads < 64; reads++) {
        struct pollfd event = {.fd = output, .events = POLLIN};
        open = poll(&event, 1, 0) > 0 && take(output, s);
    }
    return late;
}

static int judge(struct builder *b, const struct plan_op *op, int status, bool late, struct said *s) {
    char cause[SAID_MAX + 64];
    const char *said = line_of(s);
    if (!late && WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    int len = late                  ? snprintf(cause, sizeof cause, "killed after %u ms", op->hook.timeout_ms)
              : WIFSIGNALED(status) ? snprintf(cause, sizeof cause, "killed by signal %d", WTERMSIG(status))
                                    : snprintf(cause, sizeof cause, "exit code %d", WEXITSTATUS(status));
    if (*said) snprintf(cause + len, sizeof cause - (size_t)len, ": %s", said);
    return error_refuse(&b->err, late ? ETIMEDOUT : ECANCELED, cause, "hook", op->hook.path, role_of(op));
}

int hook_run(struct builder *b, const struct plan_op *op, int (*enter)(struct builder *)) {
    int output[2], report[2], status = 0, error = 0;
    struct said said = {.len = 0};
    int64_t deadline = now_ms() + op->hook.timeout_ms;
    if (pipe2(output, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
        return error_fail(&b->err, errno, "hook", op->hook.path, "pipes of a hook");
    /* clone(2): a filter that is already in force answers clone3 with ENOSYS. */
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) become(b, op, output[1], report[1], enter);
    int fork_error = errno;
    close(output[1]);
    close(report[1]);
    bool late = pid > 0 && wait_for(pid, output[0], deadline, &said, &status);
    bool executed = pid > 0 && read(report[0], &error, sizeof error) <= 0;
    close(output[0]);
    close(report[0]);
    if (executed) return judge(b, op, status, late, &said);
    return error_fail(&b->err, pid < 0 ? fork_error : error, "hook", op->hook.path, role_of(op));
}
