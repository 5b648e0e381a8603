#include "build/relabel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/error.h"
#include "base/kernel.h"

#define ATTRIBUTE "security.selinux"

/* Directories of the system, which a wrong label would put out of use: the list of peers (opencontainers/selinux, Chcon). */
static const char *const untouchable[] = {"/",        "/bin",        "/boot", "/dev", "/etc",     "/etc/passwd",
                                          "/etc/pki", "/etc/shadow", "/home", "/lib", "/lib64",   "/media",
                                          "/opt",     "/proc",       "/root", "/run", "/sbin",    "/srv",
                                          "/sys",     "/tmp",        "/usr",  "/var", "/var/lib", "/var/log"};

struct walk {
    const char *label;
    uint32_t entries;
};

/* By what it is, not by how it is called: a symlink or a second mount is the same directory. */
static bool is_untouchable(const struct stat *source) {
    struct stat st;
    for (size_t i = 0; i < sizeof untouchable / sizeof *untouchable; i++)
        if (stat(untouchable[i], &st) == 0 && st.st_dev == source->st_dev && st.st_ino == source->st_ino) return true;
    return false;
}

/* fsetxattr(2) takes no O_PATH descriptor, and anything else would open devices and wait for pipes. The link leads to the very object, a
 * symlink too. */
static int set_label(int fd, const char *label) {
    char path[32], old[512];
    size_t size = strlen(label) + 1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = getxattr(path, ATTRIBUTE, old, sizeof old);
    if (n > 0 && (size_t)n <= size && strncmp(old, label, size) == 0) return 0;
    return setxattr(path, ATTRIBUTE, label, size, 0);
}

static int walk_into(struct walk *w, int directory, int depth);

static int label_entry(struct walk *w, int directory, const char *name, int depth) {
    const uint64_t how = K_RESOLVE_BENEATH | K_RESOLVE_NO_XDEV | K_RESOLVE_NO_MAGICLINKS;
    int fd = k_openat2(directory, name, O_PATH | O_NOFOLLOW, how);
    struct stat st;
    if (fd < 0) return errno == ENOENT || errno == EXDEV ? 0 : -1; /* gone meanwhile, or another mount */
    int done = fstat(fd, &st);
    if (done == 0) done = set_label(fd, w->label);
    if (done == 0 && S_ISDIR(st.st_mode)) done = walk_into(w, fd, depth + 1);
    int error = errno;
    close(fd);
    errno = error;
    return done;
}

static int label_entries(struct walk *w, int directory, const char *entries, ssize_t size, int depth) {
    int done = 0;
    for (ssize_t at = 0; done == 0 && at < size;) {
        const struct dirent *entry = (const void *)(entries + at);
        at += entry->d_reclen;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        errno = E2BIG;
        done = w->entries++ < RELABEL_ENTRIES_MAX ? label_entry(w, directory, entry->d_name, depth) : -1;
    }
    return done;
}

/* getdents64(2) rather than readdir(3), which takes memory: see .ci/rooms. */
static int walk_into(struct walk *w, int directory, int depth) {
    char entries[2048] __attribute__((aligned(_Alignof(struct dirent))));
    int fd = depth < RELABEL_DEPTH_MAX ? openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, done = 0;
    if (depth >= RELABEL_DEPTH_MAX) errno = E2BIG;
    if (fd < 0) return -1;
    ssize_t n = 0;
    while (done == 0 && (n = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0)
        done = label_entries(w, fd, entries, n, depth);
    int error = errno;
    close(fd);
    errno = error;
    return n < 0 ? -1 : done;
}

int relabel(struct builder *b, const struct plan_op *op) {
    struct walk w = {.label = op->bind.label};
    struct stat st;
    if (fstat(op->fd, &st) < 0) return error_fail(&b->err, errno, "selinux", op->bind.source, "volume");
    if (is_untouchable(&st))
        return error_refuse(&b->err, EINVAL, "a directory of the system is not relabelled", "selinux", op->bind.source,
                            "volume");
    int done = set_label(op->fd, w.label);
    if (done == 0 && S_ISDIR(st.st_mode)) done = walk_into(&w, op->fd, 0);
    if (done == 0 || errno == ENOTSUP) return 0;
    return error_fail(&b->err, errno, "selinux", op->bind.source, "label of the volume");
}
