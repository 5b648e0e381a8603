#include "build/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/env.h"
#include "build/hook_run.h"
#include "build/launch.h"
#include "build/userns.h"

static const struct plan_op *hooks_of(const struct builder *b) { return plan_find(b->plan, PLAN_HOOKS); }

static const struct plan_op *next_hook(const struct builder *b, enum plan_hook_stage stage,
                                       const struct plan_op *after) {
    const struct plan_op *op = after ? after + 1 : b->plan->ops;
    while (op < b->plan->ops + b->plan->count && (op->code != PLAN_HOOK || op->hook.stage != stage)) op++;
    return op < b->plan->ops + b->plan->count ? op : NULL;
}

/* Looked for while the bundle's `rootfs` is empty: no path of a hook leads through the container's files. */
static int check_programs(struct builder *b) {
    for (const struct plan_op *op = NULL; (op = next_hook(b, PLAN_HOOK_STAGE_CREATE_CONTAINER, op));) {
        struct stat st;
        if (stat(op->hook.path, &st) < 0 || access(op->hook.path, X_OK) < 0)
            return error_fail(&b->err, errno, "hook", op->hook.path, "createContainer hook");
        if (!S_ISREG(st.st_mode))
            return error_refuse(&b->err, EACCES, "not a program", "hook", op->hook.path, "createContainer hook");
    }
    return 0;
}

int hooks_begin(struct builder *b) {
    if (!hooks_of(b) || (b->hook_state = memfd_create("state", MFD_CLOEXEC)) >= 0) return 0;
    return error_fail(&b->err, errno, "hook", "state", "state of the container");
}

int hooks_open(struct builder *b) {
    const struct k_mount_attr private = {.propagation = MS_PRIVATE};
    const struct plan_op *op = hooks_of(b);
    if (!op || (!op->hooks.awaited && !next_hook(b, PLAN_HOOK_STAGE_CREATE_CONTAINER, NULL))) return 0;
    if (check_programs(b) < 0) return -1;
    b->host = k_open_tree(AT_FDCWD, "/", K_OPEN_TREE_CLONE | AT_RECURSIVE);
    if (b->host < 0 || k_mount_setattr(b->host, AT_RECURSIVE, &private) < 0)
        return error_fail(&b->err, errno, "hook", "/", "the host's tree");
    return 0;
}

/* The state as the specification has it, with what is known here only. */
static int write_state(struct builder *b, const char *status) {
    char rest[64];
    const struct wire_bytes *state = &hooks_of(b)->hooks.state;
    int len = snprintf(rest, sizeof rest, ",\"status\":\"%s\",\"pid\":%d}", status, getpid());
    if (ftruncate(b->hook_state, 0) < 0 || pwrite(b->hook_state, state->data, state->len, 0) != (ssize_t)state->len ||
        pwrite(b->hook_state, rest, (size_t)len, state->len) != len)
        return error_fail(&b->err, errno, "hook", "state", "state of the container");
    return 0;
}

/* In the child that becomes a createContainer hook: the container's user namespace is one of its namespaces. */
static int enter_user(struct builder *b) { return b->env->userns < 0 ? 0 : userns_enter(b, 0); }
static int stay(struct builder *b) {
    (void)b;
    return 0;
}

static int run_all(struct builder *b, enum plan_hook_stage stage, int (*enter)(struct builder *)) {
    for (const struct plan_op *op = NULL; (op = next_hook(b, stage, op));)
        if (hook_run(b, op, enter) < 0) return -1;
    return 0;
}

static int show_host(struct builder *b) {
    char place[4096];
    snprintf(place, sizeof place, "%s/rootfs", hooks_of(b)->hooks.bundle + 1);
    if (k_move_mount(b->host, b->root) < 0 || fchdir(b->host) < 0 || k_pivot_root(".", place) < 0)
        return error_fail(&b->err, errno, "hook", place, "root of the container among the host's files");
    return 0;
}

static int hide_host(struct builder *b) {
    if (fchdir(b->root) < 0 || k_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return error_fail(&b->err, errno, "hook", "/", "pivot_root");
    close(b->host);
    return 0;
}

/* Whoever a hook has left behind in the container's own PID namespace is of the host, and would be seen there. */
static void end_stragglers(void) {
    if (getpid() != 1) return;
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
    }
}

int hooks_before_pivot(struct builder *b) {
    if (b->host < 0) return 0;
    if (write_state(b, "creating") < 0 || show_host(b) < 0) return -1;
    if (hooks_of(b)->hooks.awaited) launch_await_hooks(b);
    int done = run_all(b, PLAN_HOOK_STAGE_CREATE_CONTAINER, enter_user);
    end_stragglers();
    return done < 0 ? -1 : hide_host(b);
}

int hooks_before_exec(struct builder *b) {
    if (b->hook_state < 0 || !next_hook(b, PLAN_HOOK_STAGE_START_CONTAINER, NULL)) return 0;
    return write_state(b, "created") < 0 ? -1 : run_all(b, PLAN_HOOK_STAGE_START_CONTAINER, stay);
}
