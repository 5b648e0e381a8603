#include "loop/child.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/loop.h"

static struct child *children;
static unsigned under_construction;
static struct source wakeup = {.fd = -1};
static pid_t owner;

static void on_sigchld(int signal) {
    (void)signal;
    int saved = errno;
    /* A forked child still has this handler, and another file may have got this number there. */
    if (getpid() == owner) {
        uint64_t one = 1;
        ssize_t ignored = write(wakeup.fd, &one, sizeof one);
        (void)ignored;
    }
    errno = saved;
}

static void deliver(pid_t pid, int status) {
    for (struct child **at = &children; *at; at = &(*at)->next) {
        struct child *child = *at;
        if (child->pid != pid) continue;
        *at = child->next;
        child->pid = 0;
        child->ended(child, status);
        return;
    }
}

static void reap_known(void) {
    for (struct child *child = children; child;) {
        int status;
        pid_t pid = child->pid;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            deliver(pid, status);
            child = children; /* the handler may have changed the list */
        } else {
            child = child->next;
        }
    }
}

static void reap(void) {
    int status;
    pid_t pid;
    while (under_construction == 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0) deliver(pid, status);
    if (under_construction > 0) reap_known();
}

static void on_wakeup(struct source *source, uint32_t events) {
    (void)events;
    uint64_t count;
    if (read(source->fd, &count, sizeof count) == sizeof count) reap();
}

void child_leave(void) { loop_close(&wakeup); }

int child_init(void) {
    child_leave();
    children = NULL;
    under_construction = 0;
    owner = getpid();
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0 || loop_add(&wakeup, fd, EPOLLIN, on_wakeup) < 0) return -1;
    struct sigaction action = {.sa_handler = on_sigchld, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    return sigaction(SIGCHLD, &action, NULL);
}

bool child_is_unclaimed(pid_t pid) {
    siginfo_t info;
    for (const struct child *child = children; child; child = child->next)
        if (child->pid == pid) return false;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void child_watch(struct child *child, pid_t pid, void (*ended)(struct child *, int)) {
    *child = (struct child){.pid = pid, .ended = ended, .next = children};
    children = child;
}

void child_forget(struct child *child) {
    if (child->pid == 0) return;
    for (struct child **at = &children; *at; at = &(*at)->next) {
        if (*at != child) continue;
        *at = child->next;
        break;
    }
    child->pid = 0;
}

void child_construction_begin(void) { under_construction++; }

void child_construction_end(void) {
    under_construction--;
    uint64_t one = 1;
    /* Not here: the caller is in the middle of a transition, and reaping calls handlers. */
    if (under_construction == 0 && write(wakeup.fd, &one, sizeof one) < 0) return;
}

int child_exit_code(int wait_status) {
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
