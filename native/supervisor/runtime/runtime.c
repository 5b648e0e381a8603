#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/launch.h"
#include "cgroup/cgroup.h"
#include "cgroup/end.h"
#include "runtime/call.h"
#include "runtime/view.h"

static const int inherited[3] = {0, 1, 2};

/* What create and exec have in common: the process is left behind by the runtime, and the supervisor is told of it. */
static int call_for_process(struct builder *b, const struct plan_op *op, const char *const *first, bool terminal) {
    const char *arguments[16], *console;
    char pid_file[4096], socket[4096];
    unsigned count = 0;
    while (*first) arguments[count++] = *first++;
    arguments[count++] = "--pid-file";
    arguments[count++] = runtime_file(op, "pid", pid_file, sizeof pid_file);
    if (terminal) {
        if (runtime_console_listen(b, op, &console) < 0) return -1;
        arguments[count++] = "--console-socket";
        arguments[count++] = console;
    }
    arguments[count] = NULL;
    int done = runtime_call(b, op, arguments, inherited);
    if (terminal) unlink(runtime_file(op, "console", socket, sizeof socket));
    pid_t pid = done < 0 ? -1 : runtime_read_pid(b, op);
    if (pid < 0) return -1;
    launch_name_payload(b, pid);
    if (terminal) launch_hand_over_console(b);
    return 0;
}

static _Noreturn void create_child(struct builder *b) {
    const struct plan_op *op = plan_find(b->plan, PLAN_RUNTIME);
    const char *const create[] = {"create", "--bundle", op->runtime.bundle, NULL}, *const start[] = {"start", NULL};
    const int nothing[3] = {b->env->null_fd, b->env->null_fd, b->env->null_fd};
    launch_begin(b, b->env->empty_mntns, b->env->null_fd);
    if (builder_oom_score(b) < 0 || runtime_view_enter(op, &b->err) < 0 ||
        runtime_view_mount(b, op, b->env->empty_mntns) < 0 || call_for_process(b, op, create, b->io->terminal) < 0)
        launch_fail(b);
    b->console = -1;
    /* The streams are the container's alone now: their end is its end. */
    for (int fd = 0; fd < 3; fd++) dup2(b->env->null_fd, fd);
    launch_wait(b);
    if (runtime_call(b, op, start, nothing) < 0) launch_fail(b);
    _exit(0);
}

/* process.json of the runtime specification, for --process. Environment lies in it, so it is there as briefly as may be. */
static int write_process(struct builder *b, const char *path) {
    const struct wire_bytes *json = &plan_find(b->plan, PLAN_RUNTIME_PROCESS)->runtime_process.json;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    ssize_t n = fd < 0 ? -1 : write(fd, json->data, json->len);
    int error = errno;
    if (fd >= 0) close(fd);
    return n == (ssize_t)json->len ? 0 : error_fail(&b->err, n < 0 ? error : ENOSPC, "runtime", path, "process file");
}

static _Noreturn void exec_child(struct builder *b, const struct plan *container) {
    const struct plan_op *op = plan_find(container, PLAN_RUNTIME);
    char process[4096];
    runtime_file(op, "process", process, sizeof process);
    const char *const exec[] = {"exec", "--detach", "--process", process, NULL};
    launch_begin(b, b->env->null_fd, -1);
    int done = builder_oom_score(b) < 0 || runtime_view_enter(op, &b->err) < 0 || write_process(b, process) < 0
                   ? -1
                   : call_for_process(b, op, exec, b->io->terminal);
    unlink(process);
    if (done < 0) launch_fail(b);
    _exit(0);
}

/* Only where the runtime cannot see version 2 is the builder in the container's cgroup of that version: a runtime takes no cgroup that is
 * in use. */
static int start(const struct plan *container, const struct plan_op *op, struct build_process *out, struct error *err) {
    static const struct plan nowhere = {0};
    return builder_start(op->runtime.hidden ? container : &nowhere, -1, false, out, err);
}

int runtime_build_container(const struct wire_bytes *bytes, const struct build_env *env, const struct build_io *io,
                            struct build_process *out, struct error *err) {
    struct plan plan;
    if (plan_decode(bytes, PLAN_OF_BUNDLE, &plan, err) < 0) return -1;
    const struct plan_op *op = plan_find(&plan, PLAN_RUNTIME);
    struct builder b = builder_fresh(&plan, env, io);
    launch_probe();
    int result = builder_check_terminal(&plan, io, err);
    if (result == 0 && !op->runtime.systemd) result = cgroup_make(&plan, err);
    if (result == 0) {
        result = start(&plan, op, out, err);
        if (result == 0) create_child(&b);
        if (result < 0) cgroup_unmake(&plan);
    }
    plan_free(&plan);
    return result < 0 ? -1 : 0;
}

int runtime_build_exec(const struct wire_bytes *container_bytes, const struct wire_bytes *exec_bytes,
                       const struct build_env *env, const struct build_io *io, struct build_process *out,
                       struct error *err) {
    struct plan container, plan;
    if (plan_decode(container_bytes, PLAN_OF_KEPT, &container, err) < 0) return -1;
    if (plan_decode(exec_bytes, PLAN_OF_RUNTIME_PROCESS, &plan, err) < 0) {
        plan_free(&container);
        return -1;
    }
    struct builder b = builder_fresh(&plan, env, io);
    launch_probe();
    int result = builder_check_terminal(&plan, io, err);
    if (result == 0) {
        result = start(&container, plan_find(&container, PLAN_RUNTIME), out, err);
        if (result == 0) exec_child(&b, &container);
    }
    plan_free(&plan);
    plan_free(&container);
    return result < 0 ? -1 : 0;
}

static _Noreturn void become_deletion(const struct plan_op *op, int null_fd) {
    static const char *const arguments[] = {"delete", "--force", NULL};
    struct error ignored;
    for (int fd = 0; fd < 3; fd++) dup2(null_fd, fd);
    if (runtime_view_enter(op, &ignored) < 0) _exit(127);
    runtime_exec(op, arguments);
}

pid_t runtime_delete(const struct wire_bytes *kept, int null_fd) {
    struct plan plan;
    struct error err;
    if (!plan_has(kept, PLAN_RUNTIME)) return 0;
    if (plan_decode(kept, PLAN_OF_KEPT, &plan, &err) < 0) return -1;
    pid_t pid = fork();
    if (pid == 0) become_deletion(plan_find(&plan, PLAN_RUNTIME), null_fd);
    plan_free(&plan);
    return pid;
}
