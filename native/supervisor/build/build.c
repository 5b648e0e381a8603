#include "build/build.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/builder.h"
#include "build/cgroup_delegate.h"
#include "build/credentials.h"
#include "build/device.h"
#include "build/env.h"
#include "build/first_process.h"
#include "build/hook.h"
#include "build/image_mount.h"
#include "build/launch.h"
#include "build/lsm.h"
#include "build/mask.h"
#include "build/mount.h"
#include "build/path.h"
#include "build/rootfs.h"
#include "build/seccomp.h"
#include "build/terminal.h"
#include "build/userns.h"
#include "cgroup/cgroup.h"
#include "cgroup/end.h"

#define PIDFD_GET_PID_NAMESPACE 0xff05

static int enter(struct builder *b, const char *path, enum path_make make) {
    int fd = path_in_root(b->root, path, make);
    return fd < 0 ? -1 : fchdir(fd);
}

/* As the user that the process will be: file systems may refuse root what is the user's (NFS with root_squash, FUSE). */
static int enter_as(struct builder *b, const char *path, uint32_t uid, uint32_t gid) {
    int own_gid = setfsgid(gid), own_uid = setfsuid(uid);
    int done = enter(b, path, PATH_MAKE_NOTHING), error = errno;
    setfsuid((uid_t)own_uid);
    setfsgid((gid_t)own_gid);
    /* setfsuid(2) takes the capabilities over files away, and makes a process as dumpable as fs.suid_dumpable says. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || credentials_raise_all() < 0) return -1;
    errno = error;
    return done;
}

/* cwd is made when missing (an image's WORKDIR needs no directory), entered, and proven to lie below the root: a working directory that
 * is reached through somebody's descriptor lies outside, and getcwd(2) says "(unreachable)" (CVE-2024-21626). */
static int enter_cwd(struct builder *b, enum path_make make, uint32_t uid, uint32_t gid) {
    const char *path = plan_find(b->plan, PLAN_CWD)->cwd.path;
    char at[4096];
    int done = enter(b, path, make);
    if (done < 0 && (errno == EACCES || errno == EPERM)) done = enter_as(b, path, uid, gid);
    if (done < 0) return error_fail(&b->err, errno, "cwd", path, "working directory");
    if (syscall(SYS_getcwd, at, sizeof at) < 0) return error_fail(&b->err, errno, "cwd", path, "working directory");
    if (at[0] != '/') return error_refuse(&b->err, EPERM, "outside of the container", "cwd", path, "working directory");
    return 0;
}

/* The pipes belong to root; a process of another user could not reopen /dev/stdout. Only what we made is given away (CVE-2026-88265). */
static int own_stdio(struct builder *b, const struct plan_credentials *c) {
    uint32_t uid = userns_uid(b->env, c->uid);
    struct stat st;
    for (int fd = 0; uid != 0 && fd < 3; fd++)
        if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && fchown(fd, uid, (gid_t)-1) < 0)
            return error_fail(&b->err, errno, "credentials", "stdio", "owner of the pipe");
    return 0;
}

/* The process's own cgroups and score, which what it starts inherits. */
static int join(struct builder *b, const struct plan *container) {
    if (cgroup_join_v1(container, &b->err) < 0 || builder_oom_score(b) < 0) return -1;
    return lsm_open(b->plan, &b->lsm_proc, &b->err);
}

/* In the host's mount namespace, in the container's (own) PID namespace or none: what has to be seen from outside is opened. */
static int prepare(struct builder *b) {
    int flags = 0;
    if (!b->namespaces->namespaces.host_cgroup) flags = K_CLONE_NEWCGROUP;
    if (flags && unshare(flags) < 0) return error_fail(&b->err, errno, "namespaces", "cgroup", "new namespace");
    return mount_open_sources(b) < 0 || mask_open_null(b, b->env->null_fd) < 0 || rootfs_open(b) < 0 ||
                   cgroup_delegate(b) < 0 || hooks_open(b) < 0
               ? -1
               : 0;
}

/* From the host's mount namespace into one that never held a mount of the host. */
static int leave_host(struct builder *b) {
    if (setns(b->env->empty_mntns, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0)
        return error_fail(&b->err, errno, "namespaces", "mount", "new namespace");
    return rootfs_assemble(b) < 0 || image_mounts_narrow(b) < 0 ? -1 : userns_own_files(b);
}

/* The container's tree. Masks cover what the mounts and hooks brought; the root is closed when the last name in it is made. */
static int apply(struct builder *b, const struct plan_credentials *c) {
    return mount_open_proc(b) < 0 || mount_open_shm(b) < 0 || rootfs_pivot(b) < 0 || mount_apply_all(b) < 0 ||
                   device_apply_all(b) < 0 || hooks_before_pivot(b) < 0 || mask_apply_all(b) < 0 ||
                   readonly_apply_all(b) < 0 || mount_verify_proc(b) < 0 ||
                   enter_cwd(b, PATH_MAKE_DIRECTORY, userns_uid(b->env, c->uid), userns_gid(b->env, c->gid)) < 0 ||
                   rootfs_seal(b) < 0
               ? -1
               : 0;
}

/* From the finished tree into the user namespace. What was opened before lies in the mounts that are left behind. */
static int enter_userns(struct builder *b, int flags) {
    if (b->env->userns < 0) return 0;
    if (userns_enter(b, flags) < 0) return -1;
    if (b->first > 0) first_process_release(b);
    return 0;
}

static bool has_own_dev(const struct plan *plan) {
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct plan_op *op = &plan->ops[i];
        if (op->code == PLAN_MOUNT && op->kind == PLAN_KIND_MOUNT && strcmp(op->mount.type, "tmpfs") == 0 &&
            strcmp(op->mount.destination, "/dev") == 0)
            return true;
    }
    return false;
}

/* In the container's namespaces, whichever way it came there. */
static _Noreturn void settle(struct builder *b, const struct plan_credentials *c, bool create) {
    bool elsewhere = b->env->userns >= 0 || !create;
    if (elsewhere && (b->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) {
        error_fail(&b->err, errno, "namespaces", "/", "root of the container");
        launch_fail(b);
    }
    if (elsewhere) b->devpts = -1;
    if (elsewhere) b->dev = has_own_dev(b->plan) ? path_no_symlinks(b->root, "/dev", PATH_MAKE_NOTHING) : -1;
    if ((b->io->terminal && terminal_open(b, c, create) < 0) ||
        (elsewhere && enter_cwd(b, PATH_MAKE_NOTHING, c->uid, c->gid) < 0) ||
        lsm_apply(b->plan, b->lsm_proc, &b->err) < 0)
        launch_fail(b);
    launch_finish(b, c, create);
}

/* The recipe. Each line may only be where it is:
 *  - nothing of the supervisor's survives the first line but what the builder is lent;
 *  - sources are opened while the host is in sight and no object of the container has been looked at;
 *  - the container's tree is walked when the host is out of sight;
 *  - a user namespace is entered when the tree is finished, so that its mounts are locked (build/userns.h);
 *  - an existing PID namespace is joined when there is nothing left to steal (CVE-2016-9962);
 *  - identity comes after everything that needs privilege, the filter last.                                                        */
static _Noreturn void build_container_child(struct builder *b) {
    const struct plan_credentials *c = &plan_find(b->plan, PLAN_CREDENTIALS)->credentials;
    bool born_inside = b->env->userns >= 0 && b->namespaces->namespaces.pid == PLAN_PID_MODE_CONTAINER;
    launch_begin(b, b->env->empty_mntns, b->env->null_fd);
    int first = join(b, b->plan) < 0 || hooks_begin(b) < 0 ? -1 : born_inside ? first_process_start(b) : 0;
    if (first < 0 || (first == 0 && (prepare(b) < 0 || leave_host(b) < 0 || apply(b, c) < 0 || own_stdio(b, c) < 0 ||
                                     rlimits_apply(b->plan, b->first, &b->err) < 0 ||
                                     enter_userns(b, CLONE_NEWNS | K_CLONE_NEWCGROUP) < 0)))
        launch_fail(b);
    settle(b, c, true);
}

/* A further process: another beginning, the same end. */
static _Noreturn void build_exec_child(struct builder *b, const struct plan *container, int init_pidfd) {
    const struct plan_credentials *c = &plan_find(b->plan, PLAN_CREDENTIALS)->credentials;
    int namespaces = CLONE_NEWNS | (b->namespaces->namespaces.host_cgroup ? 0 : K_CLONE_NEWCGROUP);
    launch_begin(b, init_pidfd, -1);
    if (join(b, container) < 0) launch_fail(b);
    if (setns(init_pidfd, namespaces) < 0) {
        error_fail(&b->err, errno, "namespaces", "mount and cgroup", "of the container");
        launch_fail(b);
    }
    if (own_stdio(b, c) < 0 || rlimits_apply(b->plan, 0, &b->err) < 0 || enter_userns(b, 0) < 0) launch_fail(b);
    settle(b, c, false);
}

/* The PID namespace of the target: its own descriptor where the kernel hands one out (6.11), else the pidfd, which setns takes too. */
static int target_pid_ns(int target_pidfd) {
    int ns = ioctl(target_pidfd, PIDFD_GET_PID_NAMESPACE, 0);
    return ns >= 0 ? ns : fcntl(target_pidfd, F_DUPFD_CLOEXEC, 3);
}

int build_container(const struct wire_bytes *bytes, const struct build_env *env, const struct build_io *io,
                    int target_pidfd, struct build_process *out, struct error *err) {
    struct plan plan;
    if (plan_decode(bytes, PLAN_OF_CONTAINER, &plan, err) < 0) return -1;
    struct builder b = builder_fresh(&plan, env, io);
    b.namespaces = plan_find(&plan, PLAN_NAMESPACES);
    uint8_t mode = b.namespaces->namespaces.pid;
    int result = builder_check_terminal(&plan, io, err);
    if (result == 0 &&
        ((mode == PLAN_PID_MODE_POD && env->pod_pidns < 0) || (mode == PLAN_PID_MODE_TARGET && target_pidfd < 0)))
        result = error_refuse(err, EINVAL, "there is none to join", "namespaces", "pid", "PID namespace");
    if (result == 0 && env->userns >= 0 && b.namespaces->namespaces.host_cgroup)
        result = error_refuse(err, EINVAL, "not to be had in a user namespace", "namespaces", "cgroup",
                              "namespace of the host");
    credentials_probe();
    launch_probe();
    if (result == 0) result = cgroup_make(&plan, err);
    if (result == 0) {
        if (mode == PLAN_PID_MODE_POD)
            b.pid_ns = fcntl(env->pod_pidns, F_DUPFD_CLOEXEC, 3);
        else if (mode == PLAN_PID_MODE_TARGET)
            b.pid_ns = target_pid_ns(target_pidfd);
        result = builder_start(&plan, -1, mode == PLAN_PID_MODE_CONTAINER && env->userns < 0, out, err);
        if (result == 0) build_container_child(&b);
        if (result < 0) cgroup_unmake(&plan);
        if (b.pid_ns >= 0) close(b.pid_ns);
    }
    plan_free(&plan);
    return result < 0 ? -1 : 0;
}

int build_exec(const struct wire_bytes *container_bytes, const struct wire_bytes *exec_bytes,
               const struct build_env *env, const struct build_io *io, int init_pidfd, struct build_process *out,
               struct error *err) {
    struct plan container, plan;
    if (plan_decode(container_bytes, PLAN_OF_KEPT, &container, err) < 0) return -1;
    if (plan_decode(exec_bytes, PLAN_OF_PROCESS, &plan, err) < 0) {
        plan_free(&container);
        return -1;
    }
    struct builder b = builder_fresh(&plan, env, io);
    b.namespaces = plan_find(&container, PLAN_NAMESPACES);
    credentials_probe();
    launch_probe();
    int result = builder_check_terminal(&plan, io, err);
    if (result == 0) {
        if (b.namespaces->namespaces.pid != PLAN_PID_MODE_NODE) b.pid_ns = init_pidfd;
        result = builder_start(&container, init_pidfd, false, out, err);
        if (result == 0) build_exec_child(&b, &container, init_pidfd);
    }
    plan_free(&plan);
    plan_free(&container);
    return result < 0 ? -1 : 0;
}
