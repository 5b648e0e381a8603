/* Hooks of the container's namespaces: when and where they run, and what becomes of those that fail, hang or stay. */
#include "test/fixture.h"

static struct run r;
static char *layer;

static bool runs(const char *name, const struct wish *w) {
    bool good = run(&r, layer, name, w);
    if (!good) printf("# %s: %s / %s: %s\n", r.failed.step, r.failed.detail, r.err.step, r.err.detail);
    return good;
}

static void refused(const char *what, const struct wish *w, int error, const char *detail) {
    static unsigned number;
    char name[32];
    snprintf(name, sizeof name, "refused%u", number++);
    ok(!run(&r, layer, name, w) && r.failed.error == error && strcmp(r.failed.step, "hook") == 0, "%s is refused",
       what);
    has(r.failed.detail, detail, "and told why");
    has(r.failed.detail, " hook)", "and which it was");
}

static void test_create(void) {
    char script[512];
    snprintf(script, sizeof script,
             "root=%s/rootfs; cat > $root/state; echo $$ > $root/pid; ls /proc/self/fd | wc -l > $root/fds; [ -c "
             "$root/dev/null ] && mkdir $root/kept && mount -t tmpfs kept $root/kept && echo mounted > $root/kept/f",
             at("bundle"));
    struct wish w = {.script = "cat /state /fds /kept/f; echo; ls -d /tmp/jangada* /bundle; cut -d' ' -f5 "
                               "/proc/self/mountinfo; touch /x || echo readonly",
                     .hooks = {{PLAN_HOOK_STAGE_CREATE_CONTAINER, {"/bin/sh", "-c", script}, 0}},
                     .readonly_root = true};
    ok(runs("create", &w), "a createContainer hook finds the root in the bundle, complete and writable");
    has(r.text, "{\"id\":\"c\",\"status\":\"creating\",\"pid\":1}", "reads the state");
    has(r.text, "4\n", "has no descriptors but stdio");
    has(r.text, "mounted\n", "what it mounts stays");
    has(r.text, "readonly\n", "a read-only root is so afterwards");
    ok(strstr(r.text, "/tmp/jangada") == NULL || strstr(r.text, "No such file"), "and no path of the host is in sight");
}

static void test_stragglers(void) {
    struct wish w = {.script = "echo /proc/[0-9]*",
                     .hooks = {{PLAN_HOOK_STAGE_CREATE_CONTAINER,
                                {"/bin/sh", "-c", "sleep 1000 & setsid sleep 1000 >/dev/null 2>&1 &"},
                                0}}};
    ok(runs("straggler", &w), "a hook that leaves processes behind");
    has(r.text, "/proc/1\n", "leaves none in the container's PID namespace");
}

static void test_start(void) {
    struct identity user = {.uid = 1000, .gid = 1000, .groups = {1000}, .group_count = 1, .no_new_privileges = 1};
    struct wish w = {.script = "cat /tmp/seen",
                     .hooks = {{PLAN_HOOK_STAGE_START_CONTAINER,
                                {"/bin/sh", "-c", "{ id -u; cat; grep Seccomp: /proc/self/status; } > /tmp/seen"},
                                0}},
                     .identity = &user,
                     .seccomp = true,
                     .extra_mount = {"tmpfs", "/tmp", "mode=1777"}};
    ok(runs("start", &w), "a startContainer hook");
    has(r.text, "1000\n", "has the container's identity");
    has(r.text, "\"status\":\"created\",\"pid\":1}", "reads the state");
    has(r.text, "Seccomp:\t2\n", "and is filtered");
}

static void test_failures(void) {
    struct wish w = {.script = "true"};
    char inside[600];
    put_file(at("plain"), "text");
    snprintf(inside, sizeof inside, "%s/rootfs/bin/busybox", at("bundle"));
    for (uint8_t stage = PLAN_HOOK_STAGE_CREATE_CONTAINER; stage <= PLAN_HOOK_STAGE_START_CONTAINER; stage++) {
        w.hooks[0] =
            (struct drafted_hook){stage, {"/bin/sh", "-c", "printf 'no \\033[1m\\0here\\n\\n' >&2; exit 3"}, 0};
        refused("one that fails", &w, ECANCELED, "exit code 3: no  [1m here: /bin/sh (");
        w.hooks[0] = (struct drafted_hook){stage, {"/bin/sh", "-c", "sleep 1000 & wait"}, 200};
        refused("one that hangs", &w, ETIMEDOUT, "killed after 200 ms: /bin/sh (");
        w.hooks[0] = (struct drafted_hook){stage, {"/bin/sh", "-c", "kill -9 $$"}, 0};
        refused("one that is killed", &w, ECANCELED, "killed by signal 9");
        w.hooks[0] = (struct drafted_hook){
            stage, {"/bin/sh", "-c", "head -c 50000000 /dev/zero >&2; echo at the end >&2; exit 1"}, 0};
        refused("one that writes without end", &w, ECANCELED, "exit code 1: at the end");
        w.hooks[0] = (struct drafted_hook){stage, {"/nonexistent/hook"}, 0};
        refused("one that is not there", &w, ENOENT, "no such file or directory: /nonexistent/hook");
    }
    w.hooks[0] = (struct drafted_hook){PLAN_HOOK_STAGE_CREATE_CONTAINER, {at("plain")}, 0};
    refused("one that is no program", &w, EACCES, "permission denied");
    w.hooks[0] = (struct drafted_hook){PLAN_HOOK_STAGE_CREATE_CONTAINER, {inside}, 0};
    refused("CVE-2019-14271: one that leads into the container's files", &w, ENOENT, "no such file or directory");
}

int main(void) {
    if (!fixture_open()) return 1;
    layer = fresh_layer("layer");
    test_create();
    test_stragglers();
    test_start();
    test_failures();
    fixture_remove();
    return done();
}
