#include "build/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/kernel.h"

#define SYMLINK_LIMIT 16 /* dangling links followed while making a name */
#define PATH_SIZE 4096

/* Makes one name in `dir` and opens what it made, or what is there. A symlink there is ELOOP. */
static int make_component(int dir, const char *name, enum path_make make) {
    if (make == PATH_MAKE_DIRECTORY) {
        if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST) return -1;
        int fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOTDIR) { /* O_DIRECTORY answers ENOTDIR for a symlink too */
            struct stat st;
            if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) errno = S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
        }
        return fd;
    }
    if (mknodat(dir, name, S_IFREG | 0644, 0) < 0 && errno != EEXIST) return -1;
    int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) < 0 || S_ISLNK(st.st_mode))) {
        close(fd);
        errno = ELOOP;
        return -1;
    }
    return fd;
}

/* The next component of *path without its slashes (CVE-2026-39822: a trailing slash would follow a link). "." is skipped; ".." below a
 * name that does not exist has no meaning and is refused. 1, 0 at the end, -1. */
static int next_component(const char **path, char *name, size_t size) {
    for (;;) {
        while (**path == '/') ++*path;
        size_t len = strcspn(*path, "/");
        if (len == 0) return 0;
        if (len == 1 && **path == '.') {
            ++*path;
            continue;
        }
        if ((len == 2 && (*path)[0] == '.' && (*path)[1] == '.') || len >= size) {
            errno = len >= size ? ENAMETOOLONG : EINVAL;
            return -1;
        }
        memcpy(name, *path, len);
        name[len] = 0;
        *path += len;
        return 1;
    }
}

static bool at_end(const char *path) {
    while (*path == '/' || (path[0] == '.' && (path[1] == '/' || path[1] == 0))) path++;
    return *path == 0;
}

/* The longest part of `path` that exists, opened below `root`; *rest is what is missing. */
static int open_existing(int root, const char *path, char *prefix, const char **rest) {
    size_t len = strlen(path);
    for (;;) {
        while (len > 0 && path[len - 1] != '/') len--;
        while (len > 0 && path[len - 1] == '/') len--;
        memcpy(prefix, path, len);
        memcpy(prefix + len, "/", 2);
        int fd = k_openat2(root, prefix, O_PATH | O_DIRECTORY, K_RESOLVE_IN_ROOT | K_RESOLVE_NO_MAGICLINKS);
        *rest = path + len;
        if (fd >= 0 || errno != ENOENT || len == 0) return fd;
    }
}

/* Where a dangling symlink in `dir` points, as a path below the root: `prefix` is the directory's own path. */
static int follow_dangling(int dir, const char *prefix, const char *name, const char *rest, char *out) {
    char target[PATH_SIZE];
    struct statfs fs;
    /* The text of a magic link is no path: what it names may be gone, renamed or outside. */
    if (fstatfs(dir, &fs) < 0 || fs.f_type == K_PROC_SUPER_MAGIC) {
        errno = ELOOP;
        return -1;
    }
    ssize_t n = readlinkat(dir, name, target, sizeof target - 1);
    if (n <= 0) return -1;
    target[n] = 0;
    int len = snprintf(out, PATH_SIZE, "%s/%s/%s", target[0] == '/' ? "" : prefix, target, rest);
    if (len >= PATH_SIZE) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return 0;
}

/* Makes the missing rest of a path. 1: a dangling symlink is in the way and `out` says where it points; else 0 with *fd, or -1. */
static int make_rest(int dir, char *prefix, const char *rest, enum path_make make, char *out, int *fd) {
    char name[256];
    int more;
    while ((more = next_component(&rest, name, sizeof name)) == 1) {
        enum path_make this = at_end(rest) ? make : PATH_MAKE_DIRECTORY;
        int next = make_component(dir, name, this);
        int followed = next < 0 && errno == ELOOP ? follow_dangling(dir, prefix, name, rest, out) : -1;
        int error = errno;
        close(dir);
        if (next < 0) {
            errno = error;
            return followed == 0 ? 1 : -1;
        }
        dir = next;
        size_t used = strlen(prefix);
        if (used + strlen(name) + 2 < PATH_SIZE) snprintf(prefix + used, PATH_SIZE - used, "%s/", name);
    }
    if (more < 0) {
        int error = errno;
        close(dir);
        errno = error;
        return -1;
    }
    *fd = dir;
    return 0;
}

int path_in_root(int root, const char *path, enum path_make make) {
    int fd = k_openat2(root, path, O_PATH, K_RESOLVE_IN_ROOT | K_RESOLVE_NO_MAGICLINKS);
    if (fd >= 0 || errno != ENOENT || make == PATH_MAKE_NOTHING) return fd;
    char wanted[PATH_SIZE], prefix[PATH_SIZE + 2], out[PATH_SIZE];
    if (strlen(path) >= sizeof wanted) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(wanted, path);
    for (int links = 0; links < SYMLINK_LIMIT; links++) {
        const char *rest;
        int dir = open_existing(root, wanted, prefix, &rest);
        if (dir < 0) return -1;
        int again = make_rest(dir, prefix, rest, make, out, &fd);
        if (again <= 0) return again < 0 ? -1 : fd;
        strcpy(wanted, out);
    }
    errno = ELOOP;
    return -1;
}

/* The usual case in one look-up: everything but the last component is there. */
static int existing_parent(int root, const char *path, const char **name) {
    char parent[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    if (!slash || slash[1] == 0 || slash - path >= PATH_SIZE) return -1;
    if (strcmp(slash, "/.") == 0 || strcmp(slash, "/..") == 0) return -1;
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = 0;
    *name = slash + 1;
    return k_openat2(root, parent, O_PATH | O_DIRECTORY,
                     K_RESOLVE_BENEATH | K_RESOLVE_NO_SYMLINKS | K_RESOLVE_NO_MAGICLINKS);
}

int path_parent(int root, const char *path, const char **name) {
    static char last[256]; /* single-threaded; valid until the next call */
    char component[256];
    int dir = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC), more;
    while (dir >= 0 && (more = next_component(&path, component, sizeof component)) == 1 && !at_end(path)) {
        int next = make_component(dir, component, PATH_MAKE_DIRECTORY), error = errno;
        close(dir);
        errno = error;
        dir = next;
    }
    if (dir < 0) return -1;
    if (more != 1) {
        close(dir);
        errno = EINVAL;
        return -1;
    }
    memcpy(last, component, sizeof last);
    *name = last;
    return dir;
}

int path_no_symlinks(int root, const char *path, enum path_make make) {
    while (*path == '/') path++;
    uint64_t flags = O_PATH | (make == PATH_MAKE_DIRECTORY ? O_DIRECTORY : 0);
    int fd =
        k_openat2(root, *path ? path : ".", flags, K_RESOLVE_BENEATH | K_RESOLVE_NO_SYMLINKS | K_RESOLVE_NO_MAGICLINKS);
    if (fd >= 0 || errno != ENOENT || make == PATH_MAKE_NOTHING) return fd;
    const char *name;
    int dir = existing_parent(root, path, &name);
    if (dir < 0) dir = path_parent(root, path, &name);
    if (dir < 0) return -1;
    fd = make_component(dir, name, make);
    int error = errno;
    close(dir);
    errno = error;
    return fd;
}
