#include "pod/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/kernel.h"

/* A pod may own the directory of its log: neither a component nor the file may be a symlink, and a FIFO must not block us. */
static int open_parent(const char *path, const char **name, struct error *err) {
    char component[NAME_MAX + 1];
    int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *at = path + strspn(path, "/");
    for (const char *slash; dir >= 0 && (slash = strchr(at, '/')); at = slash + strspn(slash, "/")) {
        size_t len = (size_t)(slash - at);
        int below = -1;
        errno = ENAMETOOLONG;
        if (len <= NAME_MAX) {
            memcpy(component, at, len);
            component[len] = 0;
            const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
            below = openat(dir, component, flags);
            if (below < 0 && errno == ENOENT && (mkdirat(dir, component, 0755) == 0 || errno == EEXIST))
                below = openat(dir, component, flags);
        }
        int error = errno;
        close(dir);
        errno = error;
        dir = below;
    }
    *name = at;
    return dir >= 0 ? dir : error_set(err, errno, "log", "directory of the log %s", path);
}

static bool has_dots(const char *path) {
    for (const char *at = path; (at = strstr(at, "/.")); at++)
        if (strcspn(at + 1, "/") <= 2 && (at[2] == '/' || at[2] == 0 || (at[2] == '.' && (at[3] == '/' || at[3] == 0))))
            return true;
    return false;
}

static int open_file(const char *path, struct error *err) {
    const char *name;
    if (path[0] != '/' || has_dots(path))
        return error_set(err, EINVAL, "log", "log path is not absolute and plain: %s", path);
    int dir = open_parent(path, &name, err);
    if (dir < 0) return -1;
    struct k_open_how how = {
        .flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
        .mode = 0640,
        .resolve = K_RESOLVE_NO_SYMLINKS | K_RESOLVE_NO_MAGICLINKS | K_RESOLVE_BENEATH,
    };
    int fd = (int)syscall(NR_openat2, dir, name, &how, sizeof how);
    int error = errno;
    close(dir);
    if (fd < 0) return error_set(err, error, "log", "log %s", path);
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == geteuid()) return fd;
    close(fd);
    return error_set(err, EPERM, "log", "log is not a regular file of its own: %s", path);
}

int log_open(struct log_file *log, struct error *err) {
    log->fd = -1;
    log->lost = 0;
    log->torn = false;
    if (log->path[0] == 0) return 0;
    log->fd = open_file(log->path, err);
    return log->fd < 0 ? -1 : 0;
}

int log_reopen(struct log_file *log, struct error *err) {
    if (log->path[0] == 0) return 0;
    int fd = open_file(log->path, err);
    if (fd < 0) return -1;
    if (log->fd >= 0) close(log->fd);
    log->fd = fd;
    log->torn = false;
    return 0;
}

void log_close(struct log_file *log) {
    if (log->fd >= 0) close(log->fd);
    log->fd = -1;
}
