/* Labels of volumes: everything in one gets it, nothing outside does, whatever the names and links in it say. The attribute is the kernel's
 * to interpret; without SELinux it is a text like any other. */
#include "build/relabel.h"
#include "test/fixture.h"

#include <sys/xattr.h>

#define LABEL "system_u:object_r:container_file_t:s0:c1,c2"
#define OTHER "system_u:object_r:etc_t:s0"

static const char *label_of(const char *path) {
    static char text[256];
    ssize_t n = lgetxattr(path, "security.selinux", text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    return text;
}

static void set(const char *path, const char *label) {
    if (lsetxattr(path, "security.selinux", label, strlen(label) + 1, 0) < 0) perror(path);
}

/* As a bind mount of `source`, whose detached clone is labelled. */
static int relabel_at(const char *source, struct error *err) {
    struct builder b = {.env = &fixture_env};
    struct plan_op op = {.code = PLAN_MOUNT, .kind = PLAN_KIND_BIND};
    op.bind.source = source;
    op.bind.label = LABEL;
    op.fd = (int)syscall(SYS_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE);
    int done = op.fd < 0 ? -1 : relabel(&b, &op);
    if (op.fd >= 0) close(op.fd);
    *err = b.err;
    return done;
}

static void test_everything_in_it(void) {
    static const char *const inside[] = {"v",        "v/file",     "v/dir",    "v/dir/deep", "v/dir/deep/file",
                                         "v/socket", "v/dangling", "v/escape", "v/pipe",     "v/locked"};
    struct error err;
    mkdir(at("v"), 0755);
    mkdir(at("v/dir"), 0700);
    mkdir(at("v/dir/deep"), 0);
    mkdir(at("v/mounted"), 0755);
    put_file(at("v/file"), "");
    put_file(at("v/dir/deep/file"), "");
    put_file(at("v/locked"), "");
    chmod(at("v/locked"), 0);
    put_file(at("outside"), "");
    set(at("outside"), OTHER);
    mkfifo(at("v/pipe"), 0600); /* opening it would wait for a writer */
    mknod(at("v/socket"), S_IFSOCK | 0600, 0);
    if (symlink("/nowhere", at("v/dangling")) < 0 || symlink("../outside", at("v/escape")) < 0) perror("symlink");
    if (mount("tmpfs", at("v/mounted"), "tmpfs", 0, NULL) < 0) perror("tmpfs");
    put_file(at("v/mounted/other"), "");
    ok(relabel_at(at("v"), &err) == 0, "a volume is labelled: %s", err.detail);
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) same(label_of(at("%s", inside[i])), LABEL, inside[i]);
    same(label_of(at("outside")), OTHER, "what a symlink in it leads to is not");
    same(label_of(at("v/mounted/other")), "", "nor what is mounted in it");
    umount(at("v/mounted"));
    ok(relabel_at(at("v"), &err) == 0, "a second time, too");
    put_file(at("single"), "");
    ok(relabel_at(at("single"), &err) == 0, "a single file");
    same(label_of(at("single")), LABEL, "is labelled");
}

static void test_untouchable(void) {
    static const char *const paths[] = {"/", "/etc", "/usr", "/usr/", "/var/../etc", "/etc/passwd"};
    struct error err;
    char before[256];
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        snprintf(before, sizeof before, "%s", label_of(paths[i]));
        ok(relabel_at(paths[i], &err) < 0 && err.error == EINVAL, "%s is refused", paths[i]);
        same(label_of(paths[i]), before, "and left as it is");
    }
    has(err.detail, "a directory of the system is not relabelled: /etc/passwd", "the error says why");
    if (symlink("/etc", at("link")) < 0) perror("symlink");
    ok(relabel_at(at("link"), &err) < 0 && err.error == EINVAL, "under another name, too");
}

static void test_depth(void) {
    struct error err;
    char path[4096];
    size_t used = (size_t)snprintf(path, sizeof path, "%s", at("deep"));
    mkdir(path, 0755);
    for (int i = 0; i < RELABEL_DEPTH_MAX + 2; i++) {
        used += (size_t)snprintf(path + used, sizeof path - used, "/d");
        mkdir(path, 0755);
    }
    ok(relabel_at(at("deep"), &err) < 0 && err.error == E2BIG, "a volume deeper than %d is an error: %s",
       RELABEL_DEPTH_MAX, err.detail);
}

static void test_without_labels(void) {
    struct error err;
    ok(relabel_at("/proc/self/fdinfo", &err) == 0, "a file system that has no labels is no error: %s", err.detail);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    strcpy(fixture_dir, "/tmp/jangada-test-XXXXXX");
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(fixture_dir))
        return 1;
    test_everything_in_it();
    test_untouchable();
    test_depth();
    test_without_labels();
    fixture_remove();
    return done();
}
