/* Images and requests that want out. Each test is named after what once worked somewhere else. CANARY is a tree of the host that no
 * container has been given: it must be the same before and after. */
#include "base/harden.h"
#include "test/fixture.h"

static struct run r;
static struct draft d;
static char before[8192];

static char *canary_state(void) {
    static char text[8192];
    char command[256];
    snprintf(command, sizeof command, "find %s -printf '%%p %%i %%m %%u %%s %%T@ %%l\\n' | sort; cat %s/file",
             at("canary"), at("canary"));
    FILE *p = popen(command, "r");
    size_t n = p ? fread(text, 1, sizeof text - 1, p) : 0;
    text[n] = 0;
    if (p) pclose(p);
    return text;
}

static void intact(const char *name) {
    ok(before[0] && strcmp(before, canary_state()) == 0, "%s: the host is untouched", name);
}

/* A layer with `target` as a symlink at `path`. */
static char *layer_with_link(const char *name, const char *path, const char *target) {
    char *layer = fresh_layer(name), link[600];
    snprintf(link, sizeof link, "%s%s", layer, path);
    if (symlink(target, link) < 0) perror(link);
    return layer;
}

static bool refused(const char *layer, const char *name, const struct wish *w) {
    bool good = run(&r, layer, name, w);
    if (!good)
        printf("# %s: %s\n", r.failed.type ? r.failed.step : r.err.step,
               r.failed.type ? r.failed.detail : r.err.detail);
    return !good && r.failed.type == BUILD_FAILED && r.text[0] == 0;
}

static void test_proc_links(void) {
    static const char *const targets[][2] = {
        {"/proc", "/vol"}, {"/proc", "vol/../vol"}, {"/sys", "/vol"}, {"/dev", "/vol"}, {"/proc", "/proc/self/root"}};
    struct wish w = {.script = "echo ran; cat /proc/self/status"};
    char name[32];
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        snprintf(name, sizeof name, "link%zu", i);
        char *layer = layer_with_link(name, targets[i][0], targets[i][1]);
        ok(refused(layer, name, &w), "CVE-2019-19921, CVE-2023-27561, CVE-2025-54867: %s is a symlink to %s",
           targets[i][0], targets[i][1]);
    }
    w.binds[0][0] = at("volume");
    w.binds[0][1] = "/vol";
    char *layer = layer_with_link("linkvol", "/proc", "/vol");
    ok(refused(layer, "linkvol", &w), "CVE-2019-19921: /proc leads into a volume");
    ok(access(at("volume/self"), F_OK) < 0, "nothing was mounted there");
}

static void test_dev_links(void) {
    struct wish w = {.script = "echo ran"};
    char *layer = layer_with_link("devlink", "/dev", at("canary"));
    ok(refused(layer, "devlink", &w), "CVE-2026-41579: /dev is an absolute symlink to the host");
    intact("CVE-2026-41579");
    char relative[600];
    snprintf(relative, sizeof relative, "../../../../..%s", at("canary"));
    layer = layer_with_link("devlink2", "/dev", relative);
    ok(refused(layer, "devlink2", &w), "CVE-2026-41579: /dev is a relative symlink to the host");
    intact("CVE-2026-41579");
    w.no_dev = true;
    w.device = "/dev/ptmx";
    layer = layer_with_link("devlink3", "/dev", at("canary"));
    ok(refused(layer, "devlink3", &w), "CVE-2026-41579: a device without a /dev of our own");
    intact("CVE-2026-41579");
    layer = fresh_layer("console");
    mkdir(at("console/dev"), 0755);
    if (symlink(at("canary/new"), at("console/dev/console")) < 0) perror("console");
    struct wish tty = {.script = "readlink /dev/console; stat -c %t /dev/console", .terminal = true};
    ok(run(&r, layer, "console", &tty), "CVE-2026-88264: the image's /dev/console is a symlink to the host");
    same(r.text, "88\r\n", "CVE-2026-88264: the console is ours");
    intact("CVE-2026-88264");
}

static void test_null(void) {
    char *layer = fresh_layer("null");
    mkdir(at("null/dev"), 0755);
    if (symlink("/proc/sys/kernel/core_pattern", at("null/dev/null")) < 0) perror("null");
    struct wish w = {.script = "stat -c '%F %t:%T' /dev/null /proc/version; cat /proc/version",
                     .masks = {"/proc/version"}};
    ok(run(&r, layer, "null", &w), "CVE-2025-31133: the image's /dev/null is a symlink to a procfs file");
    same(r.text, "character special file 1:3\ncharacter special file 1:3\n", "CVE-2025-31133: masks use our own");
    w.device = "/dev/null"; /* the plan's last word on /dev/null is 1:5 */
    ok(refused(layer, "null2", &w), "CVE-2025-31133: a null that is not 1:3 masks nothing");
}

static void test_proc_volumes(void) {
    static const char *const places[] = {
        "/proc", "/proc/self/attr", "/proc/sys/net", "//proc/", "/proc/../proc/sys", "/p/sys", "/proc/cpuinfo/x", "/p"};
    char *layer = layer_with_link("procvol", "/p", "/proc"), name[32];
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct wish w = {.script = "echo ran", .binds = {{at("volume"), places[i]}}};
        snprintf(name, sizeof name, "procvol%zu", i);
        ok(refused(layer, name, &w), "CVE-2019-16884: a volume at %s", places[i]);
    }
    struct wish early = {.script = "stat -fc %t /proc; cat /proc/self/stat | wc -l",
                         .early_bind = {at("volume"), "/p"}};
    ok(!run(&r, layer, "early", &early) || strstr(r.text, "9fa0\n1\n"),
       "CVE-2019-16884: a volume that comes before procfs");
    struct wish file = {.script = "cat /proc/cpuinfo", .binds = {{at("volume/file"), "/proc/cpuinfo"}}};
    ok(run(&r, layer, "cpuinfo", &file), "another /proc/cpuinfo is allowed");
    same(r.text, "volume\n", "and seen");
    struct wish tmpfs = {.script = "echo ran", .extra_mount = {"tmpfs", "/proc/sys", "size=4k"}};
    ok(refused(layer, "proctmpfs", &tmpfs), "CVE-2025-52881: a tmpfs below /proc");
}

static void test_destinations(void) {
    static const char *const links[] = {"../../../../../../..", "/", "/proc/1/root", "/proc/self/cwd/../../.."};
    char name[32], target[600];
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        snprintf(name, sizeof name, "dest%zu", i);
        snprintf(target, sizeof target, "%s%s", links[i], at("canary"));
        char *layer = layer_with_link(name, "/data", target);
        struct wish w = {.script = "touch /data/x 2>/dev/null; echo end", .binds = {{at("volume"), "/data/made"}}};
        (void)run(&r, layer, name, &w);
        printf("# %s %s\n", r.failed.detail, r.text);
        ok(access(at("canary/made"), F_OK) < 0, "CVE-2019-18837, CVE-2024-45310: a destination through %s", links[i]);
        intact("CVE-2024-45310");
    }
    char *layer = layer_with_link("resolv", "/etc/resolv.conf", at("canary/file"));
    struct wish w = {.script = "cat /etc/resolv.conf; echo x > /etc/resolv.conf",
                     .binds = {{at("volume/file"), "/etc/resolv.conf"}}};
    ok(run(&r, layer, "resolv", &w), "CVE-2025-24965: a file of ours over a symlink to the host");
    same(r.text, "volume\n", "lies inside the container");
    intact("CVE-2025-24965");
    layer = layer_with_link("loop", "/data", "/data");
    struct wish loop = {.script = "echo ran", .binds = {{at("volume"), "/data/x"}}};
    ok(refused(layer, "loop", &loop), "a symlink loop ends");
}

static void test_cwd(void) {
    char cwd[64], name[32];
    char *layer = layer_with_link("cwd", "/w", "/proc/self/fd/8");
    for (int fd = 3; fd < 64; fd++) {
        snprintf(cwd, sizeof cwd, "/proc/self/fd/%d", fd);
        snprintf(name, sizeof name, "cwd%d", fd);
        struct wish w = {.script = "echo ran", .cwd = cwd};
        if (!ok(!run(&r, layer, name, &w) && !strstr(r.text, "ran"), "CVE-2024-21626: working directory %s", cwd))
            printf("# %s\n", r.text);
    }
    struct wish w = {.script = "echo ran", .cwd = "/w"};
    ok(!run(&r, layer, "cwdlink", &w) && !strstr(r.text, "ran"),
       "CVE-2024-21626: a working directory that is such a link");
    struct wish dots = {.script = "pwd", .cwd = "/../../../../tmp"};
    ok(run(&r, layer, "cwddots", &dots), "a working directory of dots");
    same(r.text, "/tmp\n", "ends at the container's root");
}

static void test_terminal(void) {
    char *layer = fresh_layer("pts");
    put_file(at("volume/0"), "not a pty");
    struct wish w = {.script = "stat -c %t /dev/console", .terminal = true, .binds = {{at("volume"), "/dev/pts"}}};
    ok(run(&r, layer, "pts", &w), "CVE-2025-52565: a volume lies over /dev/pts");
    same(r.text, "88\r\n", "CVE-2025-52565: the pty is of our own devpts");
}

static void test_readonly_through_fd(void) {
    char *layer = fresh_layer("rofd");
    struct wish w = {
        .script =
            "touch /x || echo refused; touch /v/x || echo refused; grep -E ' (/|/v) ' /proc/mounts | grep -c ' ro,'",
        .readonly_root = true,
        .binds = {{at("volume"), "/v"}},
        .bind_flags = 1};
    ok(run(&r, layer, "rofd", &w), "CVE-2026-115521: read-only root and volume");
    has(r.text, "refused\n", "refuse");
    has(r.text, "\n2\n", "and are listed so");
}

/* CVE-2016-9962: what a process with CAP_SYS_PTRACE finds of the builders while a hundred processes are started beside it. */
static void test_joining_process(void) {
    static struct draft process;
    struct identity tracer = {.bounding = CAPS_DEFAULT | 1 << 19,
                              .permitted = CAPS_DEFAULT | 1 << 19,
                              .effective = CAPS_DEFAULT | 1 << 19,
                              .group_count = 1};
    struct wish watch = {
        .script = "while :; do for p in /proc/[0-9]*; do case $p in /proc/1|/proc/$$) ;; *) "
                  "for f in $p/fd/* $p/cwd $p/root $p/exe; do readlink $f; done;; esac; done; done 2>/dev/null "
                  "| grep -vE "
                  "'^(/|/bin/busybox|/proc/[0-9]+/fd|pipe:.*|/memfd:jangada-pod.*|/dev/null|socket:.*|/dev/.*|/proc|/"
                  "proc/.*)$'",
        .identity = &tracer};
    struct run c, one;
    char *layer = fresh_layer("trace"), found[4096];
    draft_container(&d, layer, "trace", &watch);
    ok(create(&c, &d, -1) && release(&c), "a container that looks at every process it can see");
    int pidfd = (int)syscall(434, c.pid, 0), started = 0;
    struct wish quick = {.script = "true"};
    draft_exec(&process, &quick);
    for (int i = 0; i < 100; i++) {
        started += exec_in(&one, &d, &process, pidfd, false);
        finish(&one);
    }
    ok(started == 100, "a hundred processes are started in it");
    kill(c.pid, SIGKILL);
    ssize_t n = read(c.out, found, sizeof found - 1);
    found[n > 0 ? n : 0] = 0;
    ok(n <= 0, "CVE-2016-9962: none of them shows a descriptor, directory or program of the host");
    if (n > 0) printf("# %s\n", found);
    finish(&c);
    close(pidfd);
}

/* CVE-2021-30465: another container exchanges a mount's destination with a symlink all the time. */
static void test_race(void) {
    char *layer = fresh_layer("race"), name[32];
    mkdir(at("race-volume"), 0755);
    mkdir(at("race-volume/sub"), 0755);
    if (symlink("/", at("race-volume/link")) < 0 || symlink(at("canary"), at("race-volume/host")) < 0) perror("race");
    char *sub = at("race-volume/sub"), *link = at("race-volume/link"), *host = at("race-volume/host");
    char *parent = at("race-volume"), *child = at("volume");
    pid_t racer = fork();
    if (racer == 0)
        for (;;) {
            syscall(SYS_renameat2, AT_FDCWD, sub, AT_FDCWD, link, 2 /* RENAME_EXCHANGE */);
            syscall(SYS_renameat2, AT_FDCWD, sub, AT_FDCWD, host, 2 /* RENAME_EXCHANGE */);
        }
    int leaked = 0, ran = 0;
    /* The root of every mount that is of the host's own file system, as mountinfo shows it. */
    struct wish w = {.script =
                         "grep -vE ' - (overlay|proc|tmpfs|devpts|mqueue|sysfs|cgroup2?) ' /proc/self/mountinfo | "
                         "busybox cut -d ' ' -f 4 | grep -vE '/(race-)?volume$' && echo LEAK; echo end",
                     .binds = {{parent, "/vol"}, {child, "/vol/sub/data"}, {child, "/vol/sub/data/deep"}}};
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "race%d", i);
        ran += run(&r, layer, name, &w) && strstr(r.text, "end");
        if (strstr(r.text, "LEAK") && leaked++ == 0) printf("# %s\n", r.text);
    }
    kill(racer, SIGKILL);
    waitpid(racer, NULL, 0);
    ok(ran > 0, "containers start beside it (%d of 60)", ran);
    ok(leaked == 0, "CVE-2021-30465: the host's root is never found below the volume");
    intact("CVE-2021-30465");
}

int main(int argc, char **argv) {
    /* As the spawner does: a process that is about to execute still shows the program it was. */
    if (argc == 1) harden_seal_program((char *[]){argv[0], (char[]){"sealed"}, NULL});
    if (!fixture_open()) return 1;
    mkdir(at("canary"), 0755);
    mkdir(at("canary/directory"), 0755);
    put_file(at("canary/file"), "canary\n");
    mkdir(at("volume"), 0755);
    put_file(at("volume/file"), "volume\n");
    strcpy(before, canary_state());
    test_proc_links();
    test_dev_links();
    test_null();
    test_proc_volumes();
    test_destinations();
    test_cwd();
    test_terminal();
    test_readonly_through_fd();
    test_joining_process();
    test_race();
    fixture_remove();
    return done();
}
