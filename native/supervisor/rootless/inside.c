#include "rootless/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/loopback.h"

int inside_become_root(struct error *err) {
    /* EPERM: a namespace of a single ID, in which groups may not be given up (user_namespaces(7), "setgroups"). */
    if (syscall(SYS_setgroups, 0L, NULL) < 0 && errno != EPERM) return error_set(err, errno, "rootless", "groups");
    if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
        return error_set(err, errno, "rootless", "root of the user namespace");
    return 0;
}

static int new_mount(const char *type, const char *mode, unsigned attributes) {
    int fs = k_fsopen(type), fd = -1;
    if (fs < 0) return -1;
    if ((!mode || k_fsconfig(fs, K_FSCONFIG_SET_STRING, "mode", mode, 0) == 0) &&
        k_fsconfig(fs, K_FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        fd = k_fsmount(fs, attributes);
    close(fs);
    return fd;
}

static int over(int tree, const char *path) {
    int place = tree < 0 ? -1 : open(path, O_PATH | O_CLOEXEC);
    int done = place < 0 ? -1 : k_move_mount(tree, place);
    if (place >= 0) close(place);
    if (tree >= 0) close(tree);
    return done;
}

/* Of our network namespace, with cgroups as our cgroup namespace has them: of version 2 a mount of our own begins where we are. */
static int mount_sys(struct error *err) {
    const unsigned attributes = K_MOUNT_ATTR_NOSUID | K_MOUNT_ATTR_NODEV | K_MOUNT_ATTR_NOEXEC;
    int cgroups = access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0
                      ? new_mount("cgroup2", NULL, attributes)
                      : k_open_tree(AT_FDCWD, "/sys/fs/cgroup", K_OPEN_TREE_CLONE | AT_RECURSIVE);
    if (over(new_mount("sysfs", NULL, attributes), "/sys") < 0)
        return error_set(err, errno, "rootless", "sysfs on /sys");
    if (cgroups >= 0 && over(cgroups, "/sys/fs/cgroup") < 0)
        return error_set(err, errno, "rootless", "cgroups on /sys/fs/cgroup");
    return 0;
}

/* One name of the host's /run in ours. What cannot be had is left out: it would not have been ours to use either. */
static void take_over(int from, int to, const char *name) {
    char target[4096];
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return;
    if (S_ISLNK(st.st_mode)) {
        ssize_t len = readlinkat(from, name, target, sizeof target - 1);
        if (len < 0) return;
        target[len] = 0;
        if (symlinkat(target, to, name) < 0) return;
        return;
    }
    int tree = k_open_tree(from, name, K_OPEN_TREE_CLONE | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
    if (tree < 0) return;
    int made = S_ISDIR(st.st_mode) ? mkdirat(to, name, 0755) : mknodat(to, name, S_IFREG | 0600, 0);
    if (made == 0) k_move_mount_at(tree, to, name);
    close(tree);
}

/* Programs of root's keep files at fixed places in /run (iptables its lock): a directory that we may write to, with what is there. */
static int mount_run(struct error *err) {
    int from = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = from < 0 ? NULL : fdopendir(dup(from));
    if (!list) return error_set(err, errno, "rootless", "/run");
    if (over(new_mount("tmpfs", "755", K_MOUNT_ATTR_NOSUID | K_MOUNT_ATTR_NODEV), "/run") < 0)
        return error_set(err, errno, "rootless", "tmpfs on /run");
    int to = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (struct dirent *entry; to >= 0 && (entry = readdir(list));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) take_over(from, to, entry->d_name);
    closedir(list);
    close(from);
    if (to < 0) return error_set(err, errno, "rootless", "/run");
    close(to);
    return 0;
}

int inside_set_up(char *const *binds, struct error *err) {
    if (inside_become_root(err) < 0) return -1;
    /* What the host mounts later comes in, what we mount stays here. */
    if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return error_set(err, errno, "rootless", "mount propagation");
    if (mount_sys(err) < 0 || mount_run(err) < 0) return -1;
    for (; binds[0] && binds[1]; binds += 2)
        if (mount(binds[0], binds[1], NULL, MS_BIND, NULL) < 0)
            return error_set(err, errno, "rootless", "bind mount of %s on %s", binds[0], binds[1]);
    return loopback_up(err);
}
