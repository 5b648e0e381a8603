/* Containers of a pod that has a user namespace: what they see, what the host sees, and what they cannot undo. */
#include "base/error.h"
#include "build/env.h"
#include "build/mntns.h"
#include "build/userns.h"
#include "pod/verify.h"
#include "pod/pod_init.h"
#include "test/fixture.h"

#include <sys/ioctl.h>

#define HOST_ID 231072u

static struct run r;
static struct draft d;
static char *layer;

static bool runs(const char *name, const struct wish *w) {
    bool good = run(&r, layer, name, w);
    if (!good) printf("# %s: %s / %s: %s\n", r.failed.step, r.failed.detail, r.err.step, r.err.detail);
    return good;
}

static int inside(void *arg, struct error *err) {
    (void)err;
    char text[64] = "";
    int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0) return -1;
    *(int *)arg = fd;
    errno = 0;
    return getuid() == 0 && getgid() == 0 ? 0 : error_fail(err, EPERM, "test", "identity", "root of the namespace");
}

static int refuses(void *arg, struct error *err) {
    (void)arg;
    return error_refuse(err, EDOM, "as told", "test", "set-up", "of the namespaces");
}

static void enter_pod(void) {
    struct error err = {0};
    int unused;
    fixture_env.map = (struct id_map){HOST_ID, HOST_ID, 65536};
    ok(userns_make(&fixture_env.map, CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET, refuses, NULL, &err) < 0 &&
           err.error == EDOM && strcmp(err.step, "test") == 0,
       "what fails inside is told outside");
    fixture_env.userns =
        userns_make(&fixture_env.map, CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET, inside, &unused, &err);
    if (!ok(fixture_env.userns >= 0, "the pod's namespaces are made")) printf("# %s %s\n", err.step, err.detail);
    close(fixture_env.empty_mntns);
    fixture_env.empty_mntns = build_pod_mntns(1 << 20, &fixture_env.map, "", &err);
}

static void test_identity(void) {
    struct wish w = {
        .script =
            "echo pid $$; cat /proc/self/uid_map; id -u; stat -c '%n %u:%g' / /bin/busybox /etc/user /dev /dev/null "
            "/dev/shm /dev/mqueue /sys/fs/cgroup /new; touch /etc/made && chown 7:8 /etc/made && stat -c '%n %u:%g' "
            "/etc/made; chown 70000 /etc/made || echo unmapped",
        .cwd = "/new"};
    ok(runs("identity", &w), "a container is created, released and ends");
    has(r.text, "pid 1\n", "its first process is pid 1");
    has(r.text, "         0     231072      65536\n0\n", "it is root of the pod's user namespace");
    has(r.text, "/ 0:0\n/bin/busybox 0:0\n/etc/user 1000:1000\n", "owners are as in the image");
    has(r.text, "/dev 0:0\n/dev/null 0:0\n/dev/shm 0:0\n/dev/mqueue 0:0\n/sys/fs/cgroup 0:0\n/new 0:0\n",
        "what was made for it belongs to it");
    has(r.text, "/etc/made 7:8\n", "it can change owners");
    has(r.text, "unmapped\n", "but not to an ID outside");
    struct stat st;
    ok(stat(at("identity.upper/etc/made"), &st) == 0 && st.st_uid == HOST_ID + 7 && st.st_gid == HOST_ID + 8,
       "on the host they are those of the mapping");
    ok(stat(at("layer/etc/user"), &st) == 0 && st.st_uid == 1000, "the layer is untouched");
}

static void test_namespaces(void) {
    static const char *const kinds[] = {"net", "ipc", "uts", "pid", "mnt", "cgroup"};
    struct wish w = {.script = "sleep 100", .no_cgroup_mount = true};
    draft_container(&d, layer, "owners", &w);
    if (!ok(create(&r, &d, -1) && release(&r), "a container runs")) printf("# %s\n", r.failed.detail);
    char path[64], name[64];
    struct stat user, owner;
    ok(fstat(fixture_env.userns, &user) == 0, "the pod's user namespace");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(path, sizeof path, "/proc/%d/ns/%s", r.pid, kinds[i]);
        int ns = open(path, O_RDONLY | O_CLOEXEC), of = ioctl(ns, 0xb701 /* NS_GET_USERNS */);
        snprintf(name, sizeof name, "owns the %s namespace", kinds[i]);
        ok(of >= 0 && fstat(of, &owner) == 0 && owner.st_ino == user.st_ino, "%s", name);
        close(of);
        close(ns);
    }
    struct error err;
    struct wire_bytes plan = bytes_of(&d);
    if (!ok(process_verify(&plan, &fixture_env, false, r.pid, &err), "its process is what the plan says"))
        printf("# %s\n", err.detail);
    kill(r.pid, SIGKILL);
    finish(&r);
}

/* Everything a process with all capabilities of the user namespace could try to undo. */
static void test_locked(void) {
    struct identity all = root_identity;
    all.bounding = all.permitted = all.effective = 0x1ffffffffffull;
    struct wish w = {
        .script = "umount /etc/hidden || echo kept; umount /etc/keep || echo kept; mount -o remount,bind,rw /etc/keep"
                  " || echo kept; mount -o remount,rw /sys || echo kept; umount /data/sub || echo kept;"
                  " mount -o remount,bind,rw /data || echo kept; umount /proc || echo kept; cat /data/sub/under;"
                  " mount -t tmpfs t /tmp && echo may mount",
        .masks = {"/etc/hidden"},
        .readonly = {"/etc/keep"},
        .binds = {{at("volume"), "/data"}},
        .bind_flags = 1,
        .identity = &all};
    ok(runs("locked", &w), "a container with all capabilities");
    has(r.text, "may mount\n", "mounts in its own namespace");
    int kept = 0;
    for (const char *p = r.text; (p = strstr(p, "kept\n")); p++) kept++;
    if (!ok(kept == 7, "but undoes nothing that the plan mounted")) printf("# %s\n", r.text);
    ok(!strstr(r.text, "under the mount"), "nor sees what lies below a mount of the host");
    struct wish device = {
        .script = "mknod /tmp/d c 1 5 || echo refused; mknod /dev/d b 8 0 || echo refused; head -c 1 /dev/zero"
                  " | wc -c",
        .identity = &all};
    ok(runs("mknod", &device), "devices");
    has(r.text, "refused\n", "are not made");
    has(r.text, "1\n", "but the plan's can be used");
}

static void test_volume(void) {
    struct wish w = {.script =
                         "stat -c '%u:%g' /data/f /data/mine /data/file; touch /data/new && echo made; cat /data/root"
                         " || echo denied",
                     .binds = {{at("volume"), "/data"}}};
    ok(runs("plain", &w), "a volume whose owners are not mapped");
    has(r.text, "65534:65534\n", "belongs to nobody");
    has(r.text, "denied\n", "root of the pod is not root of the host");
    ok(access(at("volume/new"), F_OK) < 0, "and makes nothing in it");
    fixture_idmap_binds = true;
    ok(runs("mapped", &w), "a volume whose owners are mapped");
    has(r.text, "0:0\n1000:1000\n", "shows them");
    has(r.text, "made\nsecret\n", "and lets root of the pod write and read");
    struct stat st;
    ok(stat(at("volume/new"), &st) == 0 && st.st_uid == 0, "what it makes is on disk as root's");
    struct wish proc = {.script = "true", .binds = {{"/proc", "/host"}}};
    ok(!runs("procfs", &proc), "a source whose file system maps no owners");
    same(r.failed.detail, "its file system has no ID-mapped mounts: /proc (ID-mapped mount)",
         "is refused with the cause");
    fixture_idmap_binds = false;
}

static void test_image(void) {
    struct wish w = {.script = "stat -c '%n %u' /image/etc/top /image/etc/both /part/both; cat /part/both",
                     .images = {{"/image", NULL}, {"/part", "escape"}}};
    ok(runs("image", &w), "an image as a volume");
    has(r.text, "/image/etc/top 0\n/image/etc/both 1000\n/part/both 1000\nsecond\n", "shows the owners of the image");
}

static void test_user(void) {
    struct identity user = {.uid = 1000, .gid = 1000, .groups = {1000}, .group_count = 1, .bounding = CAPS_DEFAULT};
    struct wish w = {.script = "id -u; echo x >/dev/stdout", .identity = &user};
    ok(runs("user", &w), "another user");
    has(r.text, "1000\nx\n", "can open its /dev/stdout");
    w.identity = NULL;
    ok(runs("root", &w), "root");
    has(r.text, "0\nx\n", "can, too");
}

static void test_shared_pid(void) {
    struct error err;
    int lifeline;
    pid_t init = pod_init_start(&fixture_env, &(struct plan){0}, &lifeline, &fixture_env.pod_pidns, &err);
    if (!ok(init > 0, "an init process in the pod's user namespace")) printf("# %s\n", err.detail);
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d", init);
    struct wish w = {.script = "cat /proc/1/stat | wc -l; ls /proc/1/root/ 2>&1; id -u; ls /proc/1/fd",
                     .pid = PLAN_PID_MODE_POD};
    ok(runs("shared", &w), "a container in its PID namespace");
    has(r.text, "1\n", "sees it");
    has(r.text, "Permission denied\n0\n", "and cannot look into it");
    struct identity all = root_identity;
    all.bounding = all.permitted = all.effective = 0x1ffffffffffull;
    w.identity = &all;
    ok(runs("shared2", &w), "one with all capabilities");
    ok(!strstr(r.text, "tmp\n") && !strstr(r.text, "home\n"), "sees nothing of the host through it");
    ok(stat(path, &st) == 0, "it lives on");
    close(lifeline);
    waitpid(init, NULL, 0);
    close(fixture_env.pod_pidns);
    fixture_env.pod_pidns = -1;
}

static void test_exec(void) {
    static struct draft process;
    static struct run x;
    struct wish w = {.script = "sleep 100", .no_cgroup_mount = true},
                tty = {.script = "id -u; stat -c %u $(readlink /proc/self/fd/0); readlink /proc/self/ns/user",
                       .terminal = true,
                       .cwd = "/tmp"};
    draft_container(&d, layer, "execs", &w);
    ok(create(&r, &d, -1) && release(&r), "a container runs");
    draft_exec(&process, &tty);
    if (!ok(exec_in(&x, &d, &process, r.process.pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_open, r.pid, 0), true),
            "a further process with a terminal"))
        printf("# %s\n", x.failed.detail);
    finish(&x);
    char link[64], user[64];
    snprintf(link, sizeof link, "/proc/%d/ns/user", r.pid);
    ssize_t n = readlink(link, user, sizeof user - 1);
    user[n < 0 ? 0 : n] = 0;
    has(x.text, "0\r\n0\r\n", "is root, and owns its terminal");
    has(x.text, user, "in the same user namespace");
    kill(r.pid, SIGKILL);
    finish(&r);
}

static void test_terminal(void) {
    struct identity user = {.uid = 1000, .gid = 1000, .groups = {1000}, .group_count = 1, .bounding = CAPS_DEFAULT};
    struct wish w = {.script = "stat -c '%u %t' /dev/console; tty=$(readlink /proc/self/fd/0); stat -c %u $tty",
                     .terminal = true,
                     .identity = &user};
    ok(runs("terminal", &w), "a first process with a terminal");
    has(r.text, "1000 88\r\n1000\r\n", "owns it, and it is the console");
}

static void test_failures(void) {
    struct wish w = {.script = "true", .binds = {{"/nonexistent/x", "/data"}}};
    ok(!runs("nosource", &w), "a missing source");
    same(r.failed.detail, "no such file or directory: /nonexistent/x (mount source)",
         "is told although a process waits already");
    struct identity far = {.uid = 65536, .gid = 0, .bounding = CAPS_DEFAULT};
    struct wish unmapped = {.script = "true", .identity = &far};
    ok(!runs("unmapped", &unmapped), "a user outside of the mapping is refused");
    has(r.failed.detail, "nvalid argument: user and groups", "with the cause");
    int left = 0;
    while (waitpid(-1, NULL, WNOHANG) > 0 || (errno == EINTR)) left++;
    ok(waitpid(-1, NULL, 0) < 0 && errno == ECHILD, "and no process is left");
}

/* On a hybrid host the hierarchy is at unified; the container gets a mount of it besides. */
static void test_writable_cgroup(void) {
    static const struct {
        const char *name;
        uint32_t flags, owner;
    } cases[] = {{"given", 0, HOST_ID}, {"kept", 1, 0}};
    const char *root =
        access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0 ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";
    for (size_t i = 0; i < 2; i++) {
        char path[256], file[300];
        struct stat dir, procs, kept;
        snprintf(path, sizeof path, "%s/unified-%s-%s", root, strrchr(fixture_dir, '/') + 1, cases[i].name);
        struct wish w = {.script = "exit 0",
                         .cgroup = {path},
                         .extra_mount = {"cgroup2", "/mine", NULL},
                         .extra_mount_flags = cases[i].flags};
        draft_container(&d, layer, cases[i].name, &w);
        if (!ok(create(&r, &d, -1), "a container with a cgroup mount"))
            printf("# %s %s\n", r.failed.detail, r.err.detail);
        snprintf(file, sizeof file, "%s/cgroup.procs", path);
        ok(stat(path, &dir) == 0 && stat(file, &procs) == 0 && dir.st_uid == cases[i].owner &&
               procs.st_uid == cases[i].owner && procs.st_gid == cases[i].owner,
           "its cgroup is %s", cases[i].name);
        snprintf(file, sizeof file, "%s/cgroup.freeze", path);
        ok(stat(file, &kept) == 0 && kept.st_uid == 0, "what is not for it stays root's");
        release(&r);
        finish(&r);
        rmdir(path);
    }
}

int main(void) {
    if (!fixture_open()) return 1;
    layer = fresh_layer("layer");
    fresh_image();
    char command[2048];
    snprintf(
        command, sizeof command,
        "cd %s && mkdir -p volume/sub layer/etc/keep && echo hidden > layer/etc/hidden && echo u > layer/etc/user &&"
        " chown 1000:1000 layer/etc/user && mkdir layer/suid && cp layer/bin/busybox layer/suid && chmod 4755 "
        "layer/suid/busybox &&"
        " ln -s busybox layer/bin/chown && ln -s busybox layer/bin/umount && ln -s busybox layer/bin/mknod && echo f > "
        "volume/f &&"
        " echo m > volume/mine && chown 1000:1000 volume/mine && echo secret > volume/root && chmod 600 volume/root &&"
        " echo 'under the mount' > volume/sub/under && mount -t tmpfs t volume/sub",
        fixture_dir);
    ok(system(command) == 0, "fixture");
    enter_pod();
    test_identity();
    test_namespaces();
    test_locked();
    test_volume();
    test_image();
    test_user();
    test_shared_pid();
    test_exec();
    test_terminal();
    test_failures();
    umount2(at("volume/sub"), MNT_DETACH);
    test_writable_cgroup();
    fixture_remove();
    return done();
}
