#include "pod/placeholder.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/error.h"
#include "base/harden.h"
#include "base/kernel.h"
#include "base/member.h"
#include "base/unshared.h"
#include "loop/child.h"
#include "wire/request.h"

#define PLACEHOLDERS_MAX 64u /* creations under way in one pod */

static struct placeholder {
    struct child child; /* pid 0: free */
    char id[CONTAINER_ID_MAX + 1];
} __attribute__((aligned(64))) placeholders[PLACEHOLDERS_MAX] UNSHARED;

_Noreturn static void stand(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0);
    if (getppid() != parent) _exit(1);
    harden_set_title("jangada-placeholder");
    k_close_range(0, ~0u, 0);
    for (;;) pause();
}

static void ended(struct child *child, int status) {
    (void)status;
    container_of(child, struct placeholder, child)->id[0] = 0;
}

pid_t placeholder_begin(const char *id, struct error *err) {
    UNSHARE_ARRAY(placeholders);
    struct placeholder *p = placeholders, *end = placeholders + PLACEHOLDERS_MAX;
    for (struct placeholder *other = placeholders; other < end; other++)
        if (strcmp(other->id, id) == 0) return error_set(err, EEXIST, "hold", "place of container %s", id);
    while (p < end && p->child.pid) p++;
    if (p == end) return error_set(err, EAGAIN, "hold", "%u containers are being made in this pod", PLACEHOLDERS_MAX);
    struct k_clone_args args = {.flags = K_CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
    pid_t parent = getpid(), pid = (pid_t)syscall(NR_clone3, &args, sizeof args);
    if (pid == 0) stand(parent);
    if (pid < 0) return error_set(err, errno, "hold", "place of container %s", id);
    snprintf(p->id, sizeof p->id, "%s", id);
    child_watch(&p->child, pid, ended);
    return pid;
}

void placeholder_end(const char *id) {
    for (struct placeholder *p = placeholders; p < placeholders + PLACEHOLDERS_MAX; p++)
        if (p->child.pid && strcmp(p->id, id) == 0) kill(p->child.pid, SIGKILL);
}

void placeholder_end_all(void) {
    for (struct placeholder *p = placeholders; p < placeholders + PLACEHOLDERS_MAX; p++)
        if (p->child.pid) kill(p->child.pid, SIGKILL);
}
