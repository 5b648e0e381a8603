#include "build/propagation.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/error.h"
#include "base/kernel.h"

#define LINE_MAX_BYTES 8192

/* The mount that `fd` lies in (Linux 5.8). */
static bool mount_id(int fd, uint64_t *id) {
    struct statx st;
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0) return false;
    *id = st.stx_mnt_id;
    return st.stx_mask & STATX_MNT_ID;
}

/* `36 35 98:0 /root /mnt rw shared:1 master:2 - ext4 …` (proc_pid_mountinfo(5)): the optional fields are between the sixth and " - ". */
static bool has_peers(const char *line, bool master_will_do) {
    const char *end = strstr(line, " - "), *shared = strstr(line, " shared:"), *master = strstr(line, " master:");
    return end && ((shared && shared < end) || (master_will_do && master && master < end));
}

/* Reads mountinfo line by line: a node may have thousands of mounts. 1: it has peers, 0: not, -1: no such mount. */
static int look_up(uint64_t id, bool master_will_do) {
    char buffer[LINE_MAX_BYTES];
    size_t used = 0;
    int fd = openat(AT_FDCWD, "/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), found = -1;
    for (ssize_t n; fd >= 0 && found < 0 && (n = read(fd, buffer + used, sizeof buffer - 1 - used)) > 0;) {
        used += (size_t)n;
        buffer[used] = 0;
        char *line = buffer;
        for (char *end; found < 0 && (end = strchr(line, '\n')); line = end + 1) {
            *end = 0;
            if (strtoull(line, NULL, 10) == id) found = has_peers(line, master_will_do);
        }
        used = strlen(line);
        if (used == sizeof buffer - 1) break; /* longer than any line the kernel writes for paths that can be mounted */
        memmove(buffer, line, used);
    }
    if (fd >= 0) close(fd);
    return found;
}

int propagation_end(const char *path) {
    char at[4096];
    snprintf(at, sizeof at, "%s", path);
    for (;;) {
        if (mount(NULL, at, NULL, MS_PRIVATE, NULL) == 0) return 0;
        char *slash = strrchr(at, '/');
        if (errno != EINVAL || !slash || at[1] == 0) return -1; /* EINVAL: nothing is mounted there */
        slash[slash == at] = 0;
    }
}

int propagation_check(struct builder *b, const struct plan_op *op, int fd) {
    uint64_t id;
    if (op->bind.propagation == PLAN_PROPAGATION_PRIVATE) return 0;
    bool slave = op->bind.propagation == PLAN_PROPAGATION_SLAVE;
    if (mount_id(fd, &id) && look_up(id, slave) == 1) return 0;
    /* Carried out it would be a private mount, and nobody would be told: containerd and CRI-O refuse it too. */
    return error_refuse(&b->err, EINVAL,
                        slave ? "path is not on a shared or slave mount; make it one: mount --make-shared"
                              : "path is not on a shared mount; make it one: mount --make-shared",
                        "bind", op->bind.source, "mount source");
}
