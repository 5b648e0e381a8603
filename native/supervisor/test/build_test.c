/* A container as it is made: what its first process sees, and what the host sees of it. */
#include "build/overlay.h"
#include "pod/verify.h"
#include "test/fixture.h"

static struct run r;
static char *layer;

static bool runs(const char *name, const struct wish *w) {
    bool good = run(&r, layer, name, w);
    if (!good) printf("# %s: %s / %s: %s\n", r.failed.step, r.failed.detail, r.err.step, r.err.detail);
    return good;
}

static void test_tree(void) {
    struct wish w = {
        .script = "echo pid $$; ls /dev; readlink /dev/fd; echo $(wc -l < /proc/mounts); cat /proc/self/cgroup;"
                  "stat -c '%t:%T %a' /dev/null; echo x > /dev/null && ls -A / ; grep -c '' /proc/self/mountinfo;"
                  "touch /rootfile && echo writable; touch /sys/x; ls /proc/self/fd | wc -l"};
    ok(runs("tree", &w), "a container is created, released and ends");
    has(r.text, "pid 1\n", "its first process is pid 1");
    has(r.text, "fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n",
        "/dev holds the plan");
    has(r.text, "1:3 666\n", "/dev/null is the null device");
    has(r.text, "writable\n", "the root is writable");
    has(r.text, "touch: /sys/x:", "sysfs is not");
    ok(strstr(r.text, "/tmp/jangada-test") == NULL, "no path of the host is in sight");
    ok(access(at("tree.upper/rootfile"), F_OK) == 0, "what it writes lies in its upper directory");
    ok(access(at("layer/rootfile"), F_OK) < 0, "the layer is untouched");

    struct wish readonly = {
        .script = "touch /x || echo refused; mkdir /w/y || echo refused", .readonly_root = true, .cwd = "/w/d"};
    ok(runs("rotree", &readonly), "a read-only root");
    has(r.text, "refused\nmkdir: can't create directory '/w/y': Read-only file system\nrefused\n",
        "is read-only, and has the working directory made before");
}

static void test_masks(void) {
    struct wish w = {
        .script = "cat /etc/hidden; ls /etc/hide; stat -c %t:%T /etc/hidden /etc/other; touch /etc/hide/x;"
                  "echo 1 > /proc/sys/kernel/hostname; touch /etc/keep/y; cat /etc/keep/x; ls /proc/acpi /sys/firmware",
        .masks = {"/etc/hidden", "/etc/hide", "/etc/missing", "/etc/other"},
        .readonly = {"/proc/sys", "/etc/keep", "/etc/missing"}};
    ok(runs("masks", &w), "masked and read-only paths; missing ones are no error");
    ok(strstr(r.text, "hidden\n") == NULL, "a masked file and a masked directory show nothing");
    has(r.text, "1:3\n1:3\n", "CVE-2025-31133: masked files are the proven null device");
    has(r.text, "touch: /etc/hide/x: Read-only file system", "a masked directory is read-only");
    has(r.text, "can't create /proc/sys/kernel/hostname: Read-only file system", "a read-only path of procfs");
    has(r.text, "touch: /etc/keep/y: Read-only file system", "a read-only path of the image");
    has(r.text, "kept\n", "that can still be read");
}

static void test_binds(void) {
    struct wish w = {
        .script = "cat /data/f; touch /data/new || echo refused; cat /made/by/us/file; touch /data/sub/new && echo sub",
        .binds = {{at("volume"), "/data"}, {at("secret"), "/made/by/us/file"}},
        .bind_flags = 1};
    ok(runs("binds", &w), "bind mounts, missing destinations are made");
    has(r.text, "volume\n", "a directory");
    has(r.text, "refused\nsecret\n", "a read-only bind refuses; a file");
    has(r.text, "sub\n", "what is mounted below a read-only source stays writable");
    w.bind_recursive_readonly = true;
    ok(runs("rbinds", &w), "recursively read-only");
    has(r.text, "touch: /data/sub/new: Read-only file system", "does not");
    struct wish link = {.script = "cat /etc/resolv.conf; readlink /etc/resolv.conf; ls /run/x",
                        .binds = {{at("secret"), "/etc/resolv.conf"}}};
    ok(runs("dangling", &link), "a destination that is a dangling symlink is made where it points inside the root");
    has(r.text, "secret\n../run/x/stub\nstub\n", "and nowhere else");
    struct wish locked = {.script = "grep ' /data/sub ' /proc/mounts", .binds = {{at("volume"), "/data"}}};
    ok(runs("locked", &locked), "CVE-2020-28914: a source that is nosuid and nodev");
    has(r.text, "nosuid,nodev", "stays so");
    struct wish none = {.script = "true", .binds = {{"/nonexistent/x", "/data"}}};
    ok(!runs("nosource", &none), "a missing source is refused");
    same(r.failed.detail, "no such file or directory: /nonexistent/x (mount source)", "with cause, object and role");
    same(r.failed.step, "bind", "and the operation");
    ok(r.failed.error == ENOENT, "and the errno");
}

static void test_identity(void) {
    struct identity user = {.uid = 1000,
                            .gid = 5000,
                            .groups = {5000, 7},
                            .group_count = 2,
                            .bounding = CAPS_DEFAULT,
                            .no_new_privileges = 1};
    struct wish w = {
        .script = "grep -E '^(Uid|Gid|Groups|Cap|NoNew|Seccomp:)' /proc/self/status; umask; echo x > /dev/stdout",
        .identity = &user,
        .seccomp = true};
    ok(runs("user", &w), "an ordinary user with a filter and no_new_privs");
    has(r.text,
        "Uid:\t1000\t1000\t1000\t1000\nGid:\t5000\t5000\t5000\t5000\nGroups:\t7 5000 \nCapInh:\t0000000000000000\n"
        "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n"
        "NoNewPrivs:\t1\nSeccomp:\t2\n",
        "CVE-2022-24769, CVE-2022-2989: exactly the plan's identity");
    has(r.text, "0022\nx\n", "the umask, and /dev/stdout can be opened again");
    struct identity ambient = {.uid = 1000,
                               .gid = 1000,
                               .groups = {1000},
                               .group_count = 1,
                               .bounding = CAPS_DEFAULT,
                               .permitted = 0x400,
                               .effective = 0x400,
                               .inheritable = 0x400,
                               .ambient = 0x400};
    struct wish amb = {
        .script = "grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status", .identity = &ambient, .seccomp = true};
    ok(runs("ambient", &amb), "ambient capabilities and a filter without no_new_privs");
    has(r.text,
        "CapInh:\t0000000000000400\nCapPrm:\t0000000000000400\nCapEff:\t0000000000000400\nCapBnd:\t00000000a80425fb\n"
        "CapAmb:\t0000000000000400\nNoNewPrivs:\t0\nSeccomp:\t2\n",
        "survive the change of user");
    struct identity all = {.bounding = ~0ull, .permitted = ~0ull, .effective = ~0ull, .group_count = 0};
    struct wish every = {.script = "grep -E '^(Groups|CapEff)' /proc/self/status", .identity = &all};
    ok(runs("all", &every), "every capability is as many as the host has");
    has(r.text, "Groups:\t \n", "no group of the supervisor's is left");
}

static void test_verify(void) {
    static struct draft d, other;
    struct error err;
    struct wish w = {.script = "true"};
    struct identity user = {.uid = 7, .gid = 7, .groups = {7}, .group_count = 1, .bounding = CAPS_DEFAULT};
    struct wish as_user = {.script = "true", .identity = &user};
    struct wish filtered = {.script = "true", .seccomp = true};
    draft_container(&d, layer, "verify", &w);
    ok(create(&r, &d, -1), "a container is created");
    struct wire_bytes plan = bytes_of(&d);
    ok(process_verify(&plan, &fixture_env, false, r.pid, &err), "its process is what the plan says");
    draft_container(&other, layer, "verify2", &as_user);
    plan = bytes_of(&other);
    ok(!process_verify(&plan, &fixture_env, false, r.pid, &err), "CVE-2026-30892: it is not what another plan says");
    same(err.detail, "not what the plan says: Uid (check of the process)", "and the first difference is named");
    draft_container(&other, layer, "verify2", &filtered);
    plan = bytes_of(&other);
    ok(!process_verify(&plan, &fixture_env, true, r.pid, &err) && strstr(err.detail, "Seccomp"),
       "a missing filter is a difference");
    ok(access(at("verify.upper"), F_OK) == 0 && kill(r.pid, 0) == 0, "it waits");
    close(r.sync);
    r.sync = -1;
    waitpid(r.pid, &r.status, 0);
    r.process.builder = r.pid = 0;
    finish(&r);
    ok(WIFEXITED(r.status) && WEXITSTATUS(r.status) == 127, "and ends when its supervisor does");
}

static void test_command(void) {
    const char *missing[] = {"no-such-command", NULL}, *absolute[] = {"/etc/hidden", NULL},
               *found[] = {"echo", "a b", "", "c", NULL};
    struct wish w = {.argv = missing};
    ok(!runs("missing", &w), "a missing command");
    same(r.failed.detail, "no such file or directory: no-such-command (command, searched in PATH)", "is named");
    w.argv = absolute;
    ok(!runs("noexec", &w) && r.failed.error == EACCES, "a file that is no program is refused");
    w.argv = found;
    ok(runs("found", &w), "a command is searched in the PATH of the plan");
    same(r.text, "a b  c\n", "and gets its arguments unchanged");
}

static void test_terminal(void) {
    struct wish w = {
        .script = "readlink /proc/self/fd/0; stat -c %t /dev/console; echo ok > /dev/tty; stty size 2>/dev/null; "
                  "busybox stty size; echo ctl > /dev/console",
        .terminal = true};
    ok(runs("terminal", &w), "a terminal");
    has(r.text, "/dev/pts/0\r\n88\r\n", "CVE-2025-52565: console is the pty of the own devpts (major 136)");
    has(r.text, "24 80\r\n", "it has its size");
    has(r.text, "ok\r\n", "it is the controlling terminal");
    has(r.text, "ctl\r\n", "the console leads to it");
}

static void test_devices(void) {
    struct wish w = {.script = "stat -c '%F %t:%T %a' /dev/deep/zero2; head -c 2 /dev/deep/zero2 | wc -c; ls -A /dev",
                     .device = "/dev/deep/zero2"};
    ok(runs("device", &w), "a device in a directory of its own");
    has(r.text, "character special file 1:5 666\n2\n", "works");
    w = (struct wish){.script = "stat -c '%F %t:%T' /opt/zero; ls -A /dev | grep device", .device = "/opt/zero"};
    ok(runs("outside", &w), "a device outside /dev");
    has(r.text, "character special file 1:5\n", "works");
    ok(strstr(r.text, ".device") == NULL, "and leaves nothing in /dev");
    struct stat st;
    ok(stat(at("outside.upper/opt/zero"), &st) == 0 && S_ISREG(st.st_mode), "nor a node in the writable layer");
}

static void test_image_volume(void) {
    struct wish w = {
        .script = "cat /image/etc/top /image/etc/both; touch /image/x || echo refused; /image/bin/busybox echo runs;"
                  "cat /part/both /file; ls /linked; grep -c ' /part ' /proc/self/mountinfo; ls /upper /image/../upper",
        .images = {{"/image", NULL}, {"/part", "etc"}, {"/file", "etc/../etc/both"}, {"/linked", "escape"}}};
    ok(runs("image", &w), "an image as a volume, and parts of it");
    has(r.text, "refused\nruns\n", "layers are read-only, and programs run");
    has(r.text, "second\nsecond\n", "a directory of it, a file of it");
    has(r.text, "top\n", "CVE-2017-1002101, CVE-2021-25741: an absolute symlink stays in the image");
    ok(!strstr(r.text, "passwd"), "and does not lead to the host");
    static const char *const missing[] = {"nothing", "etc/nothing", "../../../nothing", "proc/self/root", "dangling"};
    char name[32];
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        struct wish none = {.script = "true", .images = {{"/image", missing[i]}}};
        snprintf(name, sizeof name, "noimage%zu", i);
        ok(!runs(name, &none) && r.failed.error == ENOENT, "a missing sub path is refused: %s", missing[i]);
    }
    has(r.failed.detail, "no such file or directory: dangling (image_sub_path", "with the cause");
    struct wish proc = {.script = "true", .images = {{"/proc/self", NULL}}};
    ok(!runs("imageproc", &proc) && strstr(r.failed.detail, "not allowed"), "CVE-2019-16884: an image over procfs");
}

/* Before Linux 6.5 the overlay is mounted by one list of layers. */
static void test_overlay_by_list(void) {
    static struct draft d;
    struct wish w = {.script = "true"};
    struct plan plan;
    struct error err;
    int status;
    draft_container(&d, layer, "list", &w);
    struct wire_bytes bytes = bytes_of(&d);
    ok(plan_decode(&bytes, PLAN_OF_CONTAINER, &plan, &err) == 0, "a plan");
    pid_t pid = fork();
    if (pid == 0) {
        const struct plan_op *op = plan_find(&plan, PLAN_ROOTFS);
        const struct overlay overlay = {&op->rootfs.lower, 0, op->rootfs.upper, op->rootfs.work, NULL, -1};
        int fd = overlay_open_by_list(&overlay, 0);
        if (fd < 0) perror("# by list");
        _exit(fd >= 0 && faccessat(fd, "bin/busybox", X_OK, 0) == 0 && mkdirat(fd, "written", 0755) == 0 ? 0 : 1);
    }
    ok(waitpid(pid, &status, 0) == pid && status == 0, "an overlay without lowerdir+ has the layer and can be written");
    ok(access(at("list.upper/written"), F_OK) == 0, "into its upper directory");
    ok(access(at("list.work/bin"), F_OK) < 0, "the host does not see it");
    plan_free(&plan);
}

/* A mount that is asked to propagate, and cannot. */
static void test_propagation(void) {
    struct wish w = {.script = "grep ' /vol ' /proc/self/mountinfo", .binds = {{at("vol"), "/vol"}}};
    mkdir(at("vol"), 0755);
    mount(at("vol"), at("vol"), NULL, MS_BIND, NULL);
    mount(NULL, at("vol"), NULL, MS_PRIVATE, NULL);
    static const uint8_t kinds[] = {PLAN_PROPAGATION_SHARED, PLAN_PROPAGATION_SLAVE};
    for (int i = 0; i < 2; i++) {
        w.bind_propagation = kinds[i];
        ok(!run(&r, layer, at("private%d", i) + strlen(fixture_dir) + 1, &w), "a private mount does not propagate");
        has(r.failed.detail, "path is not on a shared ", "and says so");
        has(r.failed.detail, at("vol"), "with its path");
    }
    mount(NULL, at("vol"), NULL, MS_SHARED, NULL);
    static const char *const seen[] = {" shared:", " master:"};
    for (int i = 0; i < 2; i++) {
        w.bind_propagation = kinds[i];
        ok(run(&r, layer, at("shared%d", i) + strlen(fixture_dir) + 1, &w), "a shared one does");
        has(r.text, seen[i], "and is a peer, or a slave");
    }
    umount2(at("vol"), MNT_DETACH);
}

int main(void) {
    if (!fixture_open()) return 1;
    layer = fresh_layer("layer");
    fresh_image();
    put_file(at("secret"), "secret\n");
    put_file(at("layer/etc/hidden"), "hidden\n");
    put_file(at("layer/etc/other"), "hidden\n");
    mkdir(at("layer/etc/hide"), 0755);
    put_file(at("layer/etc/hide/x"), "hidden\n");
    mkdir(at("layer/etc/keep"), 0755);
    put_file(at("layer/etc/keep/x"), "kept\n");
    if (symlink("../run/x/stub", at("layer/etc/resolv.conf")) < 0) perror("resolv.conf");
    mkdir(at("volume"), 0755);
    put_file(at("volume/f"), "volume\n");
    mkdir(at("volume/sub"), 0755);
    if (mount("tmpfs", at("volume/sub"), "tmpfs", MS_NOSUID | MS_NODEV, "size=64k") < 0) perror("submount");
    test_tree();
    test_masks();
    test_binds();
    test_identity();
    test_verify();
    test_command();
    test_terminal();
    test_devices();
    test_image_volume();
    test_overlay_by_list();
    umount2(at("volume/sub"), MNT_DETACH);
    test_propagation();
    fixture_remove();
    return done();
}
