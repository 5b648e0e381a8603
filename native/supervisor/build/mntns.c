#include "build/mntns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/kernel.h"
#include "base/privileges.h"
#include "build/env.h"
#include "build/mount.h"

/* A user namespace's root mounts procfs and sysfs only where others are in sight (fs/namespace.c, mount_too_revealing): the builder makes
 * the container's here before it leaves this namespace behind. */
static int keep_in_sight(int root, const char *name, int tree) {
    return tree < 0 || mkdirat(root, name, 0555) < 0 ? -1 : k_move_mount_at(tree, root, name);
}

/* In a private copy of the host's mount namespace: puts the tmpfs over everything and lets the rest go. */
static int empty_this_namespace(uint64_t shm_bytes, const struct id_map *map, const char *label) {
    char size[32], uid[32], gid[32], context[LABEL_MAX + 16];
    snprintf(size, sizeof size, "size=%llu", (unsigned long long)shm_bytes);
    snprintf(uid, sizeof uid, "uid=%u", map ? map->uid : 0);
    snprintf(gid, sizeof gid, "gid=%u", map ? map->gid : 0);
    snprintf(context, sizeof context, "context=%s", label);
    const char *root_options[] = {"mode=755", "size=64k", NULL},
               *shm_options[] = {"mode=1777", size, uid, gid, context, NULL};
    struct plan_strings root_list = {root_options, 2}, shm_list = {shm_options, label[0] ? 5 : 4};
    struct k_mount_attr readonly = {.attr_set = K_MOUNT_ATTR_RDONLY | K_MOUNT_ATTR_NODEV | K_MOUNT_ATTR_NOSUID};
    if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return -1;
    bool of_host = privileges_of_host();
    int proc = of_host ? -1 : k_open_tree(AT_FDCWD, "/proc", K_OPEN_TREE_CLONE | AT_RECURSIVE);
    int sys = of_host ? -1 : k_open_tree(AT_FDCWD, "/sys", K_OPEN_TREE_CLONE | AT_RECURSIVE);
    int root = mount_new("tmpfs", &root_list, -1, 0), base = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || base < 0 || k_move_mount(root, base) < 0 || fchdir(root) < 0 || mkdirat(root, "root", 0755) < 0 ||
        mkdirat(root, "shm", 0755) < 0 || mkdirat(root, "upper", 0755) < 0)
        return -1;
    int shm = mount_new("tmpfs", &shm_list, -1, K_MOUNT_ATTR_NODEV | K_MOUNT_ATTR_NOSUID | K_MOUNT_ATTR_NOEXEC);
    int place = openat(root, "shm", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (shm < 0 || place < 0 || k_move_mount(shm, place) < 0) return -1;
    if (!of_host && (keep_in_sight(root, "proc", proc) < 0 || keep_in_sight(root, "sys", sys) < 0)) return -1;
    if (k_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || k_mount_setattr(root, 0, &readonly) < 0)
        return -1;
    close(root);
    close(base);
    close(shm);
    close(place);
    close(proc);
    close(sys);
    return 0;
}

int build_pod_mntns(uint64_t shm_bytes, const struct id_map *map, const char *label, struct error *err) {
    int self = open("/proc/self/ns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int host = self < 0 ? -1 : openat(self, "mnt", O_RDONLY | O_CLOEXEC);
    int made = -1, error;
    if (host < 0 || unshare(CLONE_NEWNS) < 0) {
        error = errno;
    } else {
        if (empty_this_namespace(shm_bytes, map, label) == 0) made = openat(self, "mnt", O_RDONLY | O_CLOEXEC);
        error = errno;
        /* A supervisor that stayed in there could not see the host any more: nothing it did would be right. */
        if (setns(host, CLONE_NEWNS) < 0) _exit(1);
    }
    close(self);
    close(host);
    return made >= 0 ? made : error_fail(err, error, "sandbox", "mount namespace", "of the pod");
}
