#include "build/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/error.h"
#include "base/kernel.h"
#include "base/privileges.h"
#include "build/cgroup_mount.h"
#include "build/path.h"
#include "build/proc_mount.h"
#include "build/propagation.h"
#include "build/relabel.h"

static const uint64_t propagation_bits[] = {[PLAN_PROPAGATION_PRIVATE] = MS_PRIVATE,
                                            [PLAN_PROPAGATION_SLAVE] = MS_SLAVE,
                                            [PLAN_PROPAGATION_SHARED] = MS_SHARED};

int mount_options(int fs, const struct plan_strings *options) {
    for (uint32_t i = 0; options && i < options->count; i++) {
        char key[256];
        const char *equals = strchr(options->at[i], '=');
        size_t len = equals ? (size_t)(equals - options->at[i]) : strlen(options->at[i]);
        if (len >= sizeof key) {
            errno = EINVAL;
            return -1;
        }
        memcpy(key, options->at[i], len);
        key[len] = 0;
        if (k_fsconfig(fs, equals ? K_FSCONFIG_SET_STRING : K_FSCONFIG_SET_FLAG, key, equals ? equals + 1 : NULL, 0) <
            0)
            return -1;
    }
    return 0;
}

int mount_new(const char *type, const struct plan_strings *options, int pid_ns, unsigned flags) {
    int fs = k_fsopen(type), fd = -1;
    if (fs < 0) return -1;
    if (mount_options(fs, options) == 0 &&
        (pid_ns < 0 || k_fsconfig(fs, K_FSCONFIG_SET_FD, "pidns", NULL, pid_ns) == 0) &&
        k_fsconfig(fs, K_FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        fd = k_fsmount(fs, flags);
    int error = errno;
    close(fs);
    errno = error;
    return fd;
}

/* Flags are added to those the source has, so a nosuid or read-only source stays so (CVE-2020-28914). */
static int set_attributes(int fd, const struct plan_op *op) {
    struct k_mount_attr flags = {.attr_set = op->bind.flags};
    if (op->bind.flags & K_MOUNT_ATTR__ATIME) flags.attr_clr = K_MOUNT_ATTR__ATIME;
    struct k_mount_attr spread = {.propagation = propagation_bits[op->bind.propagation]};
    if (op->bind.recursive_readonly) spread.attr_set = K_MOUNT_ATTR_RDONLY;
    if (k_mount_setattr(fd, AT_RECURSIVE, &spread) < 0) return -1;
    return flags.attr_set ? k_mount_setattr(fd, 0, &flags) : 0;
}

/* What was checked is what is cloned: one descriptor. */
static int open_source(struct builder *b, struct plan_op *op) {
    if (op->bind.propagation == PLAN_PROPAGATION_PRIVATE) {
        op->fd = k_open_tree(AT_FDCWD, op->bind.source, K_OPEN_TREE_CLONE | AT_RECURSIVE);
    } else {
        int source = openat(AT_FDCWD, op->bind.source, O_PATH | O_CLOEXEC);
        if (source >= 0 && propagation_check(b, op, source) < 0) return -1;
        op->fd = source < 0 ? -1 : k_open_tree(source, "", AT_EMPTY_PATH | K_OPEN_TREE_CLONE | AT_RECURSIVE);
        if (op->fd >= 0) close(source);
    }
    return op->fd < 0 ? error_fail(&b->err, errno, "bind", op->bind.source, "mount source") : 0;
}

static int idmap(int userns, int fd, const char *step, const char *object, struct error *err) {
    struct k_mount_attr attr = {.attr_set = K_MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns};
    if (k_mount_setattr(fd, 0, &attr) == 0) return 0;
    if (errno != EINVAL) return error_fail(err, errno, step, object, "ID-mapped mount");
    return error_refuse(err, ENOTSUP, "its file system has no ID-mapped mounts", step, object, "ID-mapped mount");
}

int mount_idmap(struct builder *b, int fd, const char *step, const char *object) {
    if (b->env->userns < 0)
        return error_refuse(&b->err, EINVAL, "the pod has no user namespace", step, object, "ID-mapped mount");
    return idmap(b->env->userns, fd, step, object, &b->err);
}

int mount_can_idmap(int userns, const char *directory, struct error *err) {
    int fd = k_open_tree(AT_FDCWD, directory, K_OPEN_TREE_CLONE);
    if (fd < 0) return error_fail(err, errno, "probe", directory, "directory");
    int result = idmap(userns, fd, "probe", directory, err);
    close(fd);
    return result;
}

int mount_open_sources(struct builder *b) {
    for (uint32_t i = 0; i < b->plan->count; i++) {
        struct plan_op *op = &b->plan->ops[i];
        if (op->code != PLAN_MOUNT) continue;
        if (op->kind == PLAN_KIND_BIND) {
            if (open_source(b, op) < 0 || (op->bind.label && relabel(b, op) < 0)) return -1;
            if (set_attributes(op->fd, op) < 0)
                return error_fail(&b->err, errno, "bind", op->bind.source, "flags of the mount source");
            if (op->bind.idmap && mount_idmap(b, op->fd, "bind", op->bind.source) < 0) return -1;
        } else if (op->kind == PLAN_KIND_MOUNT && strcmp(op->mount.type, "cgroup") == 0 &&
                   cgroup_mount_open(b, op->mount.flags) < 0) {
            return -1;
        }
    }
    return 0;
}

static int open_proc(struct builder *b, const struct plan_op *op) {
    /* Of the host's PID namespace nobody but root of the host makes one. */
    if (!privileges_of_host() && b->namespaces->namespaces.pid == PLAN_PID_MODE_NODE) {
        struct k_mount_attr attr = {.attr_set = op->mount.flags};
        int fd = k_open_tree(AT_FDCWD, "/proc", K_OPEN_TREE_CLONE | AT_RECURSIVE);
        return fd < 0 || k_mount_setattr(fd, 0, &attr) < 0 ? -1 : fd;
    }
    return proc_mount_for(b->pid_ns, &op->mount.options, op->mount.flags);
}

/* Root of the host makes its own procfs and sysfs where they are mounted; others only here, see build/mntns.c. */
int mount_open_proc(struct builder *b) {
    bool own = b->pid_ns < 0 && b->namespaces->namespaces.pid == PLAN_PID_MODE_CONTAINER;
    for (uint32_t i = 0; i < b->plan->count; i++) {
        struct plan_op *op = &b->plan->ops[i];
        if (op->code != PLAN_MOUNT || op->kind != PLAN_KIND_MOUNT) continue;
        if (strcmp(op->mount.type, "proc") == 0 && !(own && privileges_of_host()))
            op->fd = open_proc(b, op);
        else if (strcmp(op->mount.type, "sysfs") == 0 && !privileges_of_host())
            op->fd = mount_new("sysfs", &op->mount.options, -1, op->mount.flags);
        else
            continue;
        if (op->fd < 0) return error_fail(&b->err, errno, "mount", op->mount.destination, op->mount.type);
    }
    return 0;
}

int mount_open_shm(struct builder *b) {
    for (uint32_t i = 0; i < b->plan->count; i++) {
        struct plan_op *op = &b->plan->ops[i];
        if (op->code != PLAN_MOUNT || op->kind != PLAN_KIND_MOUNT || strcmp(op->mount.type, "shm") != 0) continue;
        struct k_mount_attr attr = {.attr_set = op->mount.flags};
        op->fd = k_open_tree(AT_FDCWD, "/shm", K_OPEN_TREE_CLONE);
        if (op->fd < 0 || (attr.attr_set && k_mount_setattr(op->fd, 0, &attr) < 0))
            return error_fail(&b->err, errno, "mount", op->mount.destination, "shared memory of the pod");
    }
    return 0;
}

/* A target's own path with its slashes reduced, to compare with names of the contract. */
static bool at_or_below(const char *path, const char *base) {
    size_t len = strlen(base);
    while (path[0] == '/' && path[1] == '/') path++;
    return strncmp(path, base, len) == 0 && (path[len] == 0 || path[len] == '/');
}

/* The place of a detached mount, made when missing as what the mount's root is. */
static int open_target(struct builder *b, const struct plan_op *op, const char *path) {
    const char *step = plan_step(op);
    struct stat source, target;
    struct statfs fs;
    if (at_or_below(path, "/proc") && !plan_mountable_proc(path))
        return error_refuse(&b->err, EPERM, "not allowed at or below /proc", step, path, "mount destination");
    if (fstat(op->fd, &source) < 0) return error_fail(&b->err, errno, step, path, "mount source");
    int fd = path_in_root(b->root, path, S_ISDIR(source.st_mode) ? PATH_MAKE_DIRECTORY : PATH_MAKE_FILE);
    if (fd < 0 || fstat(fd, &target) < 0 || fstatfs(fd, &fs) < 0)
        return error_fail(&b->err, errno, step, path, "mount destination");
    if (S_ISDIR(source.st_mode) != S_ISDIR(target.st_mode))
        return error_fail(&b->err, S_ISDIR(source.st_mode) ? ENOTDIR : EISDIR, step, path, "mount destination");
    /* A name elsewhere that leads into procfs is the same destination (CVE-2019-16884, CVE-2025-52881). */
    if (fs.f_type == K_PROC_SUPER_MAGIC && !plan_mountable_proc(path))
        return error_refuse(&b->err, EPERM, "not allowed at or below /proc", step, path, "mount destination");
    return fd;
}

/* File systems that others trust to be what they are have a real directory as their place: a symlink on the way would let an image
 * choose another (CVE-2019-19921, CVE-2023-27561, CVE-2026-41579). */
static bool needs_real_directory(const struct plan_op *op) {
    return strcmp(op->mount.type, "tmpfs") != 0 || at_or_below(op->mount.destination, "/dev") ||
           at_or_below(op->mount.destination, "/proc") || at_or_below(op->mount.destination, "/sys");
}

static int apply_mount(struct builder *b, struct plan_op *op) {
    const char *path = op->mount.destination, *type = op->mount.type;
    bool cgroup_v1 = strcmp(type, "cgroup") == 0;
    struct stat st;
    if (at_or_below(path, "/proc") && (strcmp(type, "proc") != 0 || strcmp(path, "/proc") != 0))
        return error_refuse(&b->err, EPERM, "not allowed at or below /proc", "mount", path, "mount destination");
    int target = needs_real_directory(op) ? path_no_symlinks(b->root, path, PATH_MAKE_DIRECTORY)
                                          : path_in_root(b->root, path, PATH_MAKE_DIRECTORY);
    if (target < 0 || fstat(target, &st) < 0) return error_fail(&b->err, errno, "mount", path, "mount destination");
    if (!S_ISDIR(st.st_mode)) return error_fail(&b->err, ENOTDIR, "mount", path, "mount destination");
    if (op->fd < 0 && !cgroup_v1) op->fd = mount_new(type, &op->mount.options, -1, op->mount.flags);
    if (cgroup_v1) return cgroup_mount_apply(b, op, target);
    if (op->fd < 0) return error_fail(&b->err, errno, "mount", path, type);
    if (k_move_mount(op->fd, target) < 0) return error_fail(&b->err, errno, "mount", path, "mount destination");
    if (strcmp(type, "tmpfs") == 0 && strcmp(path, "/dev") == 0)
        b->dev = op->fd;
    else if (strcmp(type, "devpts") == 0 && strcmp(path, "/dev/pts") == 0)
        b->devpts = op->fd;
    else if (strcmp(type, "proc") == 0)
        b->proc = op->fd;
    return 0;
}

int mount_apply_all(struct builder *b) {
    for (uint32_t i = 0; i < b->plan->count; i++) {
        struct plan_op *op = &b->plan->ops[i];
        if (op->code != PLAN_MOUNT) continue;
        if (op->kind == PLAN_KIND_MOUNT) {
            if (apply_mount(b, op) < 0) return -1;
            continue;
        }
        const char *path = op->kind == PLAN_KIND_IMAGE ? op->image.destination : op->bind.destination;
        int target = open_target(b, op, path);
        if (target < 0) return -1;
        if (k_move_mount(op->fd, target) == 0) continue;
        /* The destination is held open: what the kernel does not find any more is the source. */
        if (errno == ENOENT && op->kind == PLAN_KIND_BIND)
            return error_refuse(&b->err, ENOENT, "deleted or replaced since it was bound", "bind", op->bind.source,
                                "mount source");
        return error_fail(&b->err, errno, plan_step(op), path, "mount destination");
    }
    return 0;
}

int mount_verify_proc(struct builder *b) {
    struct stat seen, ours;
    struct statfs fs;
    if (b->proc < 0) return 0;
    int fd = path_no_symlinks(b->root, "/proc", PATH_MAKE_NOTHING);
    if (fd < 0 || fstatfs(fd, &fs) < 0 || fstat(fd, &seen) < 0 || fstat(b->proc, &ours) < 0)
        return error_fail(&b->err, errno, "mount", "/proc", "check of the mounted procfs");
    if (fs.f_type != K_PROC_SUPER_MAGIC || seen.st_dev != ours.st_dev || seen.st_ino != ours.st_ino)
        return error_refuse(&b->err, EPERM, "something else lies over it", "mount", "/proc",
                            "check of the mounted procfs");
    return 0;
}

int mount_over(int source, int target, unsigned set_flags, unsigned recursive) {
    int fd = k_open_tree(source, "", AT_EMPTY_PATH | K_OPEN_TREE_CLONE | recursive);
    if (fd < 0) return -1;
    struct k_mount_attr attr = {.attr_set = set_flags};
    if (k_mount_setattr(fd, recursive, &attr) < 0 || k_move_mount(fd, target) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
