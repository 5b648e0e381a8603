#include "rootless/rootless.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/error.h"
#include "base/harden.h"
#include "base/kernel.h"
#include "rootless/inside.h"
#include "rootless/keeper.h"

#define START_S 60 /* for a helper that hangs */

extern char **environ;

/* The words up to the next "--", which becomes their NULL; `*rest` begins behind it. */
static char **list(char ***rest) {
    char **first = *rest, **at = first;
    while (*at && strcmp(*at, "--") != 0) at++;
    *rest = *at ? at + 1 : at;
    *at = NULL;
    return first;
}

static pid_t recorded(int record) {
    char text[16] = "";
    return pread(record, text, sizeof text - 1, 0) > 0 ? (pid_t)atoi(text) : 0;
}

/* Whoever has the lock makes the namespaces; everybody else enters those that are there. */
static pid_t find_or_make(const struct rootless_plan *p, struct error *err) {
    pid_t pid;
    int record = open(p->record, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (record < 0) return error_set(err, errno, "rootless", "%s", p->record);
    if (flock(record, LOCK_EX | LOCK_NB) == 0) {
        pid = keeper_start(p, record, err);
    } else if (errno != EWOULDBLOCK) {
        pid = error_set(err, errno, "rootless", "lock of %s", p->record);
    } else if ((pid = recorded(record)) <= 0) {
        pid = error_set(err, EBUSY, "rootless", "%s: another start is under way; try again", p->record);
    }
    close(record);
    return pid;
}

static int enter(pid_t pid, struct error *err) {
    int pidfd = (int)syscall(NR_pidfd_open, pid, 0);
    if (pidfd < 0 || setns(pidfd, INSIDE_NAMESPACES) < 0)
        return error_set(err, errno, "rootless", "namespaces of process %d", pid);
    close(pidfd);
    return inside_become_root(err);
}

int rootless_main(int argc, char **argv) {
    struct error err = {0};
    char **rest = argv + 3;
    if (argc < 8) return 2;
    struct rootless_plan p = {.record = argv[2]};
    p.uid_map = list(&rest);
    p.gid_map = list(&rest);
    p.network = list(&rest);
    p.binds = list(&rest);
    p.program = rest;
    if (!p.program[0]) return 2;
    harden_remember_title(argv);
    signal(SIGPIPE, SIG_DFL); /* Node.js ignores it, and that would be inherited */
    alarm(START_S);
    pid_t pid = find_or_make(&p, &err);
    if (pid > 0 && enter(pid, &err) == 0) {
        alarm(0);
        execve(p.program[0], p.program, environ);
        error_set(&err, errno, "rootless", "%s", p.program[0]);
    }
    fprintf(stderr, "jangada: %s\n", err.detail);
    return 1;
}
