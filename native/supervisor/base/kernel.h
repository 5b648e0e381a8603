/* The kernel interfaces that musl and Debian 12's headers do not know yet, by their numbers in include/uapi of Linux. Every call goes
 * through syscall(2); numbers from 424 on are the same on all architectures. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR_open_tree 428
#define NR_move_mount 429
#define NR_fsopen 430
#define NR_fsconfig 431
#define NR_fsmount 432
#define NR_pidfd_open 434
#define NR_clone3 435
#define NR_close_range 436
#define NR_openat2 437
#define NR_mount_setattr 442

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

#define K_OPEN_TREE_CLONE 1u
#define K_OPEN_TREE_CLOEXEC 02000000u /* O_CLOEXEC */

#define K_MOVE_MOUNT_F_EMPTY_PATH 0x04u
#define K_MOVE_MOUNT_T_EMPTY_PATH 0x40u

#define K_FSOPEN_CLOEXEC 1u
#define K_FSMOUNT_CLOEXEC 1u
enum { K_FSCONFIG_SET_FLAG, K_FSCONFIG_SET_STRING, K_FSCONFIG_SET_FD = 5, K_FSCONFIG_CMD_CREATE = 6 };

#define K_MOUNT_ATTR_RDONLY 0x01u
#define K_MOUNT_ATTR_NOSUID 0x02u
#define K_MOUNT_ATTR_NODEV 0x04u
#define K_MOUNT_ATTR_NOEXEC 0x08u
#define K_MOUNT_ATTR__ATIME 0x70u
#define K_MOUNT_ATTR_IDMAP 0x100000u

struct k_mount_attr {
    uint64_t attr_set, attr_clr, propagation, userns_fd;
};

struct k_open_how {
    uint64_t flags, mode, resolve;
};
#define K_RESOLVE_NO_XDEV 0x01u
#define K_RESOLVE_NO_MAGICLINKS 0x02u
#define K_RESOLVE_NO_SYMLINKS 0x04u
#define K_RESOLVE_BENEATH 0x08u
#define K_RESOLVE_IN_ROOT 0x10u

struct k_clone_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
#define K_CLONE_PIDFD 0x1000u
#define K_CLONE_CLEAR_SIGHAND 0x100000000ull
#define K_CLONE_INTO_CGROUP 0x200000000ull
#define K_CLONE_NEWCGROUP 0x02000000

#define K_CLOSE_RANGE_CLOEXEC 4u

#define K_PROC_SUPER_MAGIC 0x9fa0
#define K_DEVPTS_SUPER_MAGIC 0x1cd1
#define K_CGROUP_SUPER_MAGIC 0x27e0eb
#define K_CGROUP2_SUPER_MAGIC 0x63677270

static inline int k_open_tree(int dir, const char *path, unsigned flags) {
    return (int)syscall(NR_open_tree, dir, path, flags | K_OPEN_TREE_CLOEXEC);
}

static inline int k_move_mount(int from, int to) {
    return (int)syscall(NR_move_mount, from, "", to, "", K_MOVE_MOUNT_F_EMPTY_PATH | K_MOVE_MOUNT_T_EMPTY_PATH);
}

/* To a name in `dir`, which is not followed when it is a symlink. */
static inline int k_move_mount_at(int from, int dir, const char *name) {
    return (int)syscall(NR_move_mount, from, "", dir, name, K_MOVE_MOUNT_F_EMPTY_PATH);
}

static inline int k_mount_setattr(int fd, unsigned flags, const struct k_mount_attr *attr) {
    return (int)syscall(NR_mount_setattr, fd, "", flags | AT_EMPTY_PATH, attr, sizeof *attr);
}

static inline int k_fsopen(const char *type) { return (int)syscall(NR_fsopen, type, K_FSOPEN_CLOEXEC); }

static inline int k_fsconfig(int fd, unsigned cmd, const char *key, const void *value, int aux) {
    return (int)syscall(NR_fsconfig, fd, cmd, key, value, aux);
}

static inline int k_fsmount(int fd, unsigned attr) { return (int)syscall(NR_fsmount, fd, K_FSMOUNT_CLOEXEC, attr); }

/* openat2(2): EAGAIN when something on this machine was renamed or mounted while ".." was followed. An unprivileged neighbour who does
 * nothing else gets one look-up in twenty to fail. */
static inline int k_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve) {
    struct k_open_how how = {.flags = flags | 02000000u /* O_CLOEXEC */, .resolve = resolve};
    int fd = -1;
    for (int attempts = 0; attempts < 1000; attempts++) {
        fd = (int)syscall(NR_openat2, dir, path, &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN) break;
    }
    return fd;
}

static inline int k_close_range(unsigned first, unsigned last, unsigned flags) {
    return first > last ? 0 : (int)syscall(NR_close_range, first, last, flags);
}

static inline int k_pivot_root(const char *new_root, const char *put_old) {
    return (int)syscall(SYS_pivot_root, new_root, put_old);
}
