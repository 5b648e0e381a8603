#include "build/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/kernel.h"
#include "base/privileges.h"
#include "build/propagation.h"

#define FSCONFIG_STRING_MAX 256 /* fsconfig(2) takes at most this, its NUL included */
#define MOUNT_DATA_MAX 4096     /* mount(2) takes one page */

static const char *lower_name(const struct overlay *o, uint32_t i) { return o->lower->at[i] + o->skip; }

/* A directory's name for a file system option: itself, or by descriptor when it is longer than fsconfig takes. */
static const char *option_path(const char *path, char *buffer, size_t size) {
    if (strlen(path) < FSCONFIG_STRING_MAX) return path;
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return NULL;
    snprintf(buffer, size, "/proc/self/fd/%d", fd);
    return buffer;
}

static int set_path(int fs, const char *key, const char *path) {
    char buffer[32];
    const char *value = option_path(path, buffer, sizeof buffer);
    return value ? k_fsconfig(fs, K_FSCONFIG_SET_STRING, key, value, 0) : -1;
}

/* -1 with ENOTSUP when this kernel has no "lowerdir+". */
static int open_by_layer(const struct overlay *o, unsigned attributes, const char **object) {
    int fs = k_fsopen("overlay"), fd = -1;
    *object = "overlay";
    if (fs < 0) return -1;
    if (!privileges_of_host() && k_fsconfig(fs, K_FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0) goto out;
    for (uint32_t i = 0; i < o->lower->count; i++) {
        *object = o->lower->at[i];
        if (set_path(fs, "lowerdir+", lower_name(o, i)) < 0) {
            if (errno == EINVAL && i == 0) errno = ENOTSUP;
            goto out;
        }
    }
    if (o->label && k_fsconfig(fs, K_FSCONFIG_SET_STRING, "context", o->label, 0) < 0) {
        *object = o->label;
        goto out;
    }
    if (o->upper) {
        *object = o->upper;
        if (set_path(fs, "upperdir", o->upper) < 0 || set_path(fs, "workdir", o->work) < 0) goto out;
        /* The upper directory never outlives the boot that wrote it, so nobody needs it synchronised. Absent before 5.10. */
        k_fsconfig(fs, K_FSCONFIG_SET_FLAG, "volatile", NULL, 0);
    }
    if (k_fsconfig(fs, K_FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        fd = k_fsmount(fs, attributes);
    else if (errno == EINVAL)
        errno = ENOTSUP; /* before 6.5 every string is taken until here */
out:;
    int error = errno;
    close(fs);
    errno = error;
    return fd;
}

/* "lowerdir=5:6:…", names in /proc/self/fd, which fits a page for any number of layers whatever their names are. */
static int option_list(const struct overlay *o, char *data, size_t size) {
    size_t used = (size_t)snprintf(data, size, "%s%slowerdir=", privileges_of_host() ? "" : "userxattr,",
                                   o->upper ? "volatile," : "");
    uint32_t lowers = o->lower->count, count = lowers + (o->upper ? 2 : 0);
    for (uint32_t i = 0; i < count; i++) {
        const char *path = i < lowers ? lower_name(o, i) : i == lowers ? o->upper : o->work;
        const char *before = i < lowers ? (i ? ":" : "") : i == lowers ? ",upperdir=" : ",workdir=";
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return -1;
        used += (size_t)snprintf(data + used, size - used, "%s%d", before, fd);
        if (used >= size) {
            errno = E2BIG;
            return -1;
        }
    }
    /* In quotes: a label may have commas. */
    if (o->label) used += (size_t)snprintf(data + used, size - used, ",context=\"%s\"", o->label);
    errno = E2BIG;
    return used < size ? 0 : -1;
}

/* mount(2) needs a place, and the layers have to be opened in the mount namespace it is in: overlayfs takes none from another. */
int overlay_open_by_list(const struct overlay *o, unsigned attributes) {
    const struct k_mount_attr attr = {.attr_set = attributes};
    char data[MOUNT_DATA_MAX];
    int descriptors = o->descriptors, back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (descriptors < 0) {
        /* A private copy of the host's mount namespace has a place that nobody else sees. */
        if (unshare(CLONE_NEWNS) < 0 || propagation_end(o->work ? o->work : lower_name(o, 0)) < 0) return -1;
        descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    if (back < 0 || descriptors < 0 || option_list(o, data, sizeof data) < 0) return -1;
    int place = open(o->work ? o->work : lower_name(o, 0), O_PATH | O_DIRECTORY | O_CLOEXEC);
    char name[16];
    snprintf(name, sizeof name, "%d", place);
    if (place < 0 || fchdir(descriptors) < 0 || mount("overlay", name, "overlay", 0, data) < 0 || fchdir(back) < 0)
        return -1;
    int fd = k_open_tree(AT_FDCWD, o->work ? o->work : lower_name(o, 0), K_OPEN_TREE_CLONE);
    if (fd >= 0 && (umount2(o->work ? o->work : lower_name(o, 0), MNT_DETACH) < 0 ||
                    (attributes && k_mount_setattr(fd, 0, &attr) < 0))) {
        close(fd);
        return -1;
    }
    close(back);
    close(place);
    return fd;
}

int overlay_open(const struct overlay *o, unsigned attributes, const char **object) {
    int fd = open_by_layer(o, attributes, object);
    return fd < 0 && errno == ENOTSUP ? overlay_open_by_list(o, attributes) : fd;
}
