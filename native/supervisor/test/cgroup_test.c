/* Limits that hold, ends that are complete, directories that go. */
#include "cgroup/cgroup.h"
#include "cgroup/end.h"
#include "cgroup/report.h"
#include "test/fixture.h"

static struct run r;
static struct draft d;
static char *layer, *memory, *pids, *freezer, *unified, *cpuset;

static char *cgroup(const char *hierarchy, const char *name) {
    static char paths[16][512];
    static int next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "/sys/fs/cgroup/%s/%s/%s", hierarchy, strrchr(fixture_dir, '/') + 1, name);
    return path;
}

static void remove_parents(void) {
    static const char *const hierarchies[] = {"memory", "pids", "freezer", "unified", "cpuset"};
    for (size_t i = 0; i < sizeof hierarchies / sizeof hierarchies[0]; i++) {
        char *path = cgroup(hierarchies[i], "");
        path[strlen(path) - 1] = 0;
        ok(rmdir(path) == 0 || errno == ENOENT, "nothing is left below %s", hierarchies[i]);
    }
}

/* kill, reap everything, remove: what the supervisor does at an exit. */
static void end(struct wire_bytes *plan) {
    for (int pass = 0; pass < 50; pass++) {
        cgroup_kill(plan);
        while (waitpid(-1, NULL, WNOHANG) > 0);
        if (cgroup_remove(plan) == 0) return;
        struct pollfd none = {-1, 0, 0};
        poll(&none, 1, 20);
    }
}

static void test_oom(void) {
    char file[600];
    snprintf(file, sizeof file, "%s/memory.limit_in_bytes", memory);
    struct wish w = {.script = "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo survived",
                     .cgroup = {memory, freezer, cpuset, unified},
                     .limit = {{file, "20971520"}}};
    draft_container(&d, layer, "oom", &w);
    struct wire_bytes plan = bytes_of(&d);
    struct cgroup_report report;
    ok(create(&r, &d, -1), "a container with 20 MiB");
    same(get_file(file), "20971520\n", "has its limit before it runs");
    cgroup_report_read(&plan, &report);
    ok(report.oom_kills == 0, "no OOM kill yet");
    ok(release(&r), "it runs");
    finish(&r);
    ok(strstr(r.text, "survived") == NULL, "a process that allocates 100 MB is killed");
    cgroup_report_read(&plan, &report);
    ok(report.oom_kills > 0, "and reported");
    end(&plan);
    ok(access(memory, F_OK) < 0 && access(unified, F_OK) < 0 && access(cpuset, F_OK) < 0, "its cgroups are gone");
}

static void test_fork_bomb(void) {
    char file[600], current[600];
    snprintf(file, sizeof file, "%s/pids.max", pids);
    snprintf(current, sizeof current, "%s/pids.current", pids);
    struct wish w = {.script = "echo begun; while :; do (while :; do sleep 100 & done) 2>/dev/null; done",
                     .cgroup = {pids, memory, freezer},
                     .limit = {{file, "40"}}};
    draft_container(&d, layer, "bomb", &w);
    struct wire_bytes plan = bytes_of(&d);
    ok(create(&r, &d, -1) && release(&r), "a fork bomb with 40 pids");
    char begun[8];
    ok(read(r.out, begun, 6) == 6, "runs");
    int most = 0;
    for (int i = 0; i < 200000 && most < 40; i++) {
        int now = atoi(get_file(current));
        most = now > most ? now : most;
    }
    ok(most == 40, "comes to them (%d)", most);
    for (int i = 0; i < 2000; i++) {
        int now = atoi(get_file(current));
        most = now > most ? now : most;
    }
    ok(most == 40, "and stays within them (%d)", most);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    cgroup_kill(&plan);
    clock_gettime(CLOCK_MONOTONIC, &after);
    ok(after.tv_sec - before.tv_sec < 2, "is killed within two seconds");
    kill(r.pid, 0);
    waitpid(r.pid, &r.status, 0);
    ok(WIFSIGNALED(r.status) && WTERMSIG(r.status) == SIGKILL, "by SIGKILL");
    r.process.builder = r.pid = 0;
    finish(&r);
    end(&plan);
    ok(access(pids, F_OK) < 0, "its cgroups are gone");
}

static void test_seen_from_inside(void) {
    struct wish w = {
        .script =
            "cat /proc/self/cgroup | grep -E 'memory|pids'; ls /sys/fs/cgroup; cat /sys/fs/cgroup/memory/cgroup.procs;"
            "echo 1 > /sys/fs/cgroup/memory/memory.limit_in_bytes; mkdir /sys/fs/cgroup/pids/x || echo refused",
        .cgroup = {pids, memory, cpuset, unified}};
    ok(run(&r, layer, "inside", &w), "a container's view of its cgroups");
    has(r.text, ":memory:/\n", "is rooted in its own");
    has(r.text, "cpuset\nmemory\npids\n1\n", "shows its hierarchies and its processes");
    has(r.text, "memory.limit_in_bytes: Read-only file system", "CVE-2022-0492: read-only");
    has(r.text, "refused\n", "everywhere");
    ok(getuid() == 0 && access(memory, F_OK) == 0, "from outside they are where the plan says");
    draft_container(&d, layer, "inside", &w);
    struct wire_bytes plan = bytes_of(&d);
    char nested[600];
    snprintf(nested, sizeof nested, "%s/a", memory);
    mkdir(nested, 0755);
    strcat(nested, "/b");
    mkdir(nested, 0755);
    char deep[600];
    snprintf(deep, sizeof deep, "%s/.hidden", pids);
    for (int level = 0; level < 40; level++) {
        mkdir(deep, 0755);
        strcat(deep, "/.x");
    }
    ok(cgroup_remove(&plan) == 0 && access(memory, F_OK) < 0 && access(pids, F_OK) < 0,
       "removal takes what was made below them, however deep and hidden");
}

static void put_write(struct draft *u, const char *path, const char *value) {
    op_begin(u, PLAN_CGROUP_WRITE);
    wire_put_string(&u->w, 1, path);
    wire_put_string(&u->w, 2, value);
    wire_put_u8(&u->w, 3, 0);
    op_end(u);
}

static void test_update(void) {
    static struct draft u;
    struct error err;
    char file[600], other[600];
    struct wish w = {.script = "sleep 100", .cgroup = {memory, pids, freezer}};
    draft_container(&d, layer, "update", &w);
    struct wire_bytes plan = bytes_of(&d);
    ok(create(&r, &d, -1) && release(&r), "a container runs");
    snprintf(file, sizeof file, "%s/pids.max", pids);
    snprintf(other, sizeof other, "%s/memory.limit_in_bytes", memory);
    wire_writer_init(&u.w, u.data, sizeof u.data);
    put_write(&u, file, "50");
    struct wire_bytes ops = bytes_of(&u);
    ok(cgroup_update(&ops, &err) == 0, "a limit is changed");
    same(get_file(file), "50\n", "at once");
    wire_writer_init(&u.w, u.data, sizeof u.data);
    put_write(&u, file, "60");
    put_write(&u, other, "nonsense");
    ops = bytes_of(&u);
    ok(cgroup_update(&ops, &err) < 0, "one that the kernel refuses");
    has(err.detail, "invalid argument: ", "is named");
    same(get_file(file), "50\n", "puts the others back");
    wire_writer_init(&u.w, u.data, sizeof u.data);
    put_namespaces(&u, 1);
    ops = bytes_of(&u);
    ok(cgroup_update(&ops, &err) < 0, "an update changes nothing but limits");
    cgroup_kill(&plan);
    finish(&r);
    ok(WIFSIGNALED(r.status), "kill reaches a sleeping process");
    end(&plan);
    cgroup_kill(&plan);
    ok(cgroup_remove(&plan) == 0, "both succeed when there is nothing left");
}

static void test_bad_limit(void) {
    char file[600];
    snprintf(file, sizeof file, "%s/pids.max", pids);
    struct wish w = {.script = "true", .cgroup = {memory, pids}, .limit = {{file, "many"}}};
    ok(!run(&r, layer, "bad", &w), "a limit that the kernel refuses");
    has(r.err.detail, "invalid argument: ", "is an error");
    has(r.err.detail, "(cgroup limit many)", "with the value");
    ok(access(memory, F_OK) < 0 && access(pids, F_OK) < 0, "and leaves no cgroup behind");
    struct wish nowhere = {.script = "true", .cgroup = {"/sys/fs/cgroup/no-such/x"}};
    ok(!run(&r, layer, "nowhere", &nowhere), "a hierarchy that does not exist is refused");
    ok(access("/sys/fs/cgroup/no-such", F_OK) < 0, "and not made");
}

static void test_optional(void) {
    char max[600];
    snprintf(max, sizeof max, "%s/pids.max", pids);
    struct wish w = {.script = "true", .cgroup = {pids}, .limit = {{at("no-such-file"), "1"}}};
    ok(!run(&r, layer, "optional", &w), "a file that is not there is an error");
    has(r.err.detail, "its controller is not passed on", "with the likely cause");
    w.limit_optional = true;
    ok(run(&r, layer, "optional2", &w), "unless it is optional");
    struct wire_bytes plan = bytes_of((draft_container(&d, layer, "optional2", &w), &d));
    end(&plan);
    w.limit[0][0] = max;
    w.limit[0][1] = "many";
    ok(!run(&r, layer, "optional3", &w), "a value that the kernel refuses is an error, optional or not");
}

/* mknod of anything, any access to 1:3, nothing else. */
static const uint8_t only_null[] = {
    0x61, 0x12, 0, 0, 0,  0, 0, 0, /* r2 = access << 16 | type */
    0x74, 0x02, 0, 0, 16, 0, 0, 0, /* r2 >>= 16 */
    0x61, 0x13, 4, 0, 0,  0, 0, 0, /* r3 = major */
    0x61, 0x14, 8, 0, 0,  0, 0, 0, /* r4 = minor */
    0xb4, 0x00, 0, 0, 1,  0, 0, 0, /* r0 = 1 */
    0x15, 0x02, 3, 0, 1,  0, 0, 0, /* if r2 == mknod goto exit */
    0x55, 0x03, 1, 0, 1,  0, 0, 0, /* if r3 != 1 goto deny */
    0x15, 0x04, 1, 0, 3,  0, 0, 0, /* if r4 == 3 goto exit */
    0xb4, 0x00, 0, 0, 0,  0, 0, 0, /* deny: r0 = 0 */
    0x95, 0x00, 0, 0, 0,  0, 0, 0, /* exit */
};

static void test_devices(void) {
    struct wish w = {.script = "echo x > /dev/null && echo null; head -c 1 /dev/zero || echo refused",
                     .cgroup = {unified},
                     .devices = {only_null, sizeof only_null}};
    ok(run(&r, layer, "devices", &w), "a container with a device program");
    same(r.text, "null\nhead: /dev/zero: Operation not permitted\nrefused\n", "has what the program allows");
    struct wire_bytes plan = bytes_of((draft_container(&d, layer, "devices", &w), &d));
    end(&plan);
    w.devices.len -= 8;
    ok(!run(&r, layer, "devices2", &w), "a program that the kernel refuses fails the container");
    has(r.err.detail, "invalid argument: ", "by name");
    ok(strcmp(r.err.step, "cgroup-devices") == 0 && access(unified, F_OK) < 0, "and leaves no cgroup behind");
}

static void test_controllers(void) {
    char threaded[600], type[700], leaf[700];
    struct wish w = {.script = "true", .cgroup = {unified}, .controllers = "memory pids nosuch"};
    ok(run(&r, layer, "controllers", &w), "controllers that no ancestor has are let be");
    struct wire_bytes plan = bytes_of((draft_container(&d, layer, "controllers", &w), &d));
    end(&plan);
    snprintf(threaded, sizeof threaded, "%s", cgroup("unified", "t"));
    snprintf(type, sizeof type, "%s/cgroup.type", threaded);
    snprintf(leaf, sizeof leaf, "%s/c", threaded);
    ok(mkdir(threaded, 0755) == 0, "a cgroup");
    put_file(type, "threaded");
    w.cgroup[0] = leaf;
    ok(!run(&r, layer, "threaded", &w), "that is threaded takes no container");
    has(r.err.detail, "below a threaded cgroup: ", "and the error says so");
    ok(access(leaf, F_OK) < 0, "the container's own is gone");
    ok(rmdir(threaded) == 0, "and it can be removed");
}

int main(void) {
    if (!fixture_open()) return 1;
    layer = fresh_layer("layer");
    memory = cgroup("memory", "c");
    pids = cgroup("pids", "c");
    freezer = cgroup("freezer", "c");
    unified = cgroup("unified", "c");
    cpuset = cgroup("cpuset", "c");
    test_seen_from_inside();
    test_oom();
    test_fork_bomb();
    test_update();
    test_bad_limit();
    test_optional();
    test_devices();
    test_controllers();
    remove_parents();
    fixture_remove();
    return done();
}
