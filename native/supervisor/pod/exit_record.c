#include "pod/exit_record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static bool write_whole(int fd, const char *text, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* The directory is opened when it is needed: an open descriptor of a host directory must never be there to be inherited. */
static int open_exits(const char *directory) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/exits", directory) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (mkdir(path, 0700) < 0 && errno != EEXIST) return -1;
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int exit_record_write(const char *directory, const struct exit_record *r, struct error *err) {
    char text[1024], temporary[NAME_MAX];
    int len = snprintf(text, sizeof text, "1 %d %d %llu %llu\n%s\n", r->exit_code, r->oom ? 1 : 0,
                       (unsigned long long)r->started_at, (unsigned long long)r->exited_at, r->message);
    if (len >= (int)sizeof text) len = sizeof text - 1;
    snprintf(temporary, sizeof temporary, ".%s", r->id);
    int dir = open_exits(directory);
    if (dir < 0) return error_set(err, errno, "exit record", "%s/exits", directory);
    int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool done = fd >= 0 && write_whole(fd, text, (size_t)len) && renameat(dir, temporary, dir, r->id) == 0;
    int error = errno;
    if (!done) unlinkat(dir, temporary, 0);
    if (fd >= 0) close(fd);
    close(dir);
    return done ? 0 : error_set(err, error, "exit record", "%s/exits/%s", directory, r->id);
}

void exit_record_remove(const char *directory, const char *id) {
    int dir = open_exits(directory);
    if (dir < 0) return;
    unlinkat(dir, id, 0);
    close(dir);
}
