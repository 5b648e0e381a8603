#include "runtime/call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/kernel.h"
#include "runtime/log.h"

#define ARGUMENTS_MAX 24
#define LOG_READ (16 << 10)
#define CONSOLE_MS 5000
#define SAID_MAX 1024
#define TOLD_MAX 150 /* what an error has room for, beside the name of the runtime */

const char *runtime_file(const struct plan_op *op, const char *what, char *buffer, size_t size) {
    snprintf(buffer, size, "%s/%s.%d", op->runtime.bundle, what, getpid());
    return buffer;
}

static const char *name_of(const struct plan_op *op) { return strrchr(op->runtime.bundle, '/') + 1; }

static _Noreturn void execute(const struct plan_op *op, const char *log, const char *const *arguments) {
    static char *const no_environment[] = {NULL};
    const char *argv[ARGUMENTS_MAX] = {op->runtime.path, "--root", op->runtime.root};
    unsigned count = 3;
    if (op->runtime.systemd) argv[count++] = "--systemd-cgroup";
    if (log) {
        const char *const of_log[] = {"--log", log, "--log-format", "json"};
        for (unsigned i = 0; i < 4; i++) argv[count++] = of_log[i];
    }
    while (*arguments && count < ARGUMENTS_MAX - 2) argv[count++] = *arguments++;
    argv[count++] = name_of(op);
    argv[count] = NULL;
    k_close_range(3, ~0u, K_CLOSE_RANGE_CLOEXEC);
    execve(op->runtime.path, (char *const *)(uintptr_t)argv, no_environment);
    _exit(127);
}

_Noreturn void runtime_exec(const struct plan_op *op, const char *const *arguments) { execute(op, NULL, arguments); }

static pid_t start(const struct plan_op *op, const char *log, const char *const *arguments, const int stdio[3]) {
    pid_t parent = getpid(), pid = fork();
    if (pid != 0) return pid;
    /* When the builder is killed at its deadline, nothing of the runtime goes on behind it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || chdir(op->runtime.bundle) < 0) _exit(127);
    int from[3];
    for (int fd = 0; fd < 3; fd++)
        if ((from[fd] = fcntl(stdio[fd], F_DUPFD_CLOEXEC, 3)) < 0) _exit(127);
    for (int fd = 0; fd < 3; fd++)
        if (dup2(from[fd], fd) < 0) _exit(127);
    execute(op, log, arguments);
}

/* ---- the terminal, which the runtime makes and sends ---- */

int runtime_console_listen(struct builder *b, const struct plan_op *op, const char **name) {
    static struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "console.%d", getpid());
    *name = address.sun_path;
    /* Bound by a relative name, as the runtime connects to it: the bundle's own path may be longer than sun_path. */
    b->console = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (b->console < 0 || chdir(op->runtime.bundle) < 0 ||
        bind(b->console, (struct sockaddr *)&address, sizeof address) < 0 || listen(b->console, 1) < 0)
        return error_fail(&b->err, errno, "terminal", address.sun_path, "console socket");
    return 0;
}

static int receive_descriptor(int connection) {
    char data[256];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {data, sizeof data};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct pollfd wait = {.fd = connection, .events = POLLIN};
    int fd = -1;
    if (poll(&wait, 1, CONSOLE_MS) != 1 || recvmsg(connection, &message, MSG_CMSG_CLOEXEC) < 0) return -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

/* Takes the place of the listening socket. */
static void take_console(struct builder *b) {
    const struct plan_op *op = plan_find(b->plan, PLAN_TERMINAL);
    struct winsize size = {.ws_col = op->terminal.width, .ws_row = op->terminal.height};
    unsigned number;
    int connection = accept4(b->console, NULL, NULL, SOCK_CLOEXEC);
    int master = connection < 0 ? -1 : receive_descriptor(connection);
    if (connection >= 0) close(connection);
    close(b->console);
    b->console = master;
    if (master >= 0 && ioctl(master, TIOCGPTN, &number) < 0) { /* only a pty's master has one */
        close(master);
        b->console = -1;
    }
    if (b->console >= 0 && (size.ws_col || size.ws_row)) ioctl(b->console, TIOCSWINSZ, &size);
}

/* ---- the end of a call ---- */

/* What the kernel said is part of the message only; it decides which status the client gets. */
static int errno_of(const char *said) {
    if (strstr(said, "o such file") || strstr(said, "not found")) return ENOENT;
    if (strstr(said, "ermission denied")) return EACCES;
    if (strstr(said, "xec format error")) return ENOEXEC;
    return EIO;
}

/* Runtimes wrap causes from the outside to the inside: of a message that is too long the end is what counts. */
static const char *essence(const char *said) {
    size_t len = strlen(said);
    if (len <= TOLD_MAX) return said;
    const char *rest = said + len - TOLD_MAX, *part = strstr(rest, ": ");
    return part ? part + 2 : rest;
}

static void explain(struct builder *b, const struct plan_op *op, const char *log, int status) {
    char text[LOG_READ], said[SAID_MAX];
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text, size > LOG_READ ? size - LOG_READ : 0);
    if (fd >= 0) close(fd);
    int error = EIO;
    if (n > 0 && runtime_log_message(text, (size_t)n, said, sizeof said))
        error = errno_of(said);
    else
        snprintf(said, sizeof said, WIFSIGNALED(status) ? "killed by signal %d" : "ended with code %d and said nothing",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    error_refuse(&b->err, error, essence(said), "runtime", op->runtime.path, "external runtime");
}

static bool wait_for(struct builder *b, pid_t pid, bool with_console, int *status) {
    int pidfd = (int)syscall(NR_pidfd_open, pid, 0);
    struct pollfd events[2] = {{.fd = pidfd, .events = POLLIN},
                               {.fd = with_console ? b->console : -1, .events = POLLIN}};
    while (pidfd >= 0 && poll(events, 2, -1) > 0 && !events[0].revents) {
        if (!events[1].revents) continue;
        take_console(b);
        events[1].fd = -1;
    }
    bool untaken = with_console && events[1].fd >= 0;
    if (untaken && poll(&events[1], 1, 0) == 1) {
        take_console(b);
        untaken = false;
    }
    if (pidfd >= 0) close(pidfd);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR) {
    }
    return !untaken && (!with_console || b->console >= 0);
}

int runtime_call(struct builder *b, const struct plan_op *op, const char *const *arguments, const int stdio[3]) {
    char log[4096];
    int status = 0;
    bool with_console = b->console >= 0;
    runtime_file(op, "log", log, sizeof log);
    pid_t pid = start(op, log, arguments, stdio);
    if (pid < 0) return error_fail(&b->err, errno, "runtime", op->runtime.path, "process");
    bool console = wait_for(b, pid, with_console, &status);
    bool done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!done)
        explain(b, op, log, status);
    else if (!console)
        error_refuse(&b->err, ENOTTY, "no terminal came", "terminal", op->runtime.path, "console socket");
    unlink(log);
    return done && console ? 0 : -1;
}

pid_t runtime_read_pid(struct builder *b, const struct plan_op *op) {
    char path[4096], text[16] = "";
    int fd = open(runtime_file(op, "pid", path, sizeof path), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    if (fd >= 0) close(fd);
    unlink(path);
    if (pid > 1 && pid <= 1 << 22) return (pid_t)pid;
    return error_refuse(&b->err, EIO, "no pid in it", "runtime", path, "file that the runtime was told to write");
}
