#include "pod/death.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "pod/container.h"

void death_explain(struct container *c) {
    int status = c->process.status;
    char cause[96];
    if (c->oom && c->oom_kills.limit) {
        error_set(&c->error, ENOMEM, "build", "memory limit of %llu bytes (container %s)",
                  (unsigned long long)c->oom_kills.limit, c->id);
        return;
    }
    if (c->oom)
        snprintf(cause, sizeof cause, "killed by the kernel: out of memory");
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        snprintf(cause, sizeof cause, "killed by its seccomp profile (SIGSYS)");
    else if (WIFSIGNALED(status))
        snprintf(cause, sizeof cause, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(cause, sizeof cause, "ended with exit code %d", WEXITSTATUS(status));
    int error = c->oom ? ENOMEM : WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? EINVAL : ECANCELED;
    error_refuse(&c->error, error, cause, "build", c->id, "container under construction");
}
