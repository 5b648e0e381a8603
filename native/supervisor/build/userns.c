#include "build/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/credentials.h"
#include "build/env.h"

uint32_t userns_uid(const struct build_env *env, uint32_t uid) { return env->userns < 0 ? uid : env->map.uid + uid; }
uint32_t userns_gid(const struct build_env *env, uint32_t gid) { return env->userns < 0 ? gid : env->map.gid + gid; }

int userns_become_root(struct error *err) {
    credentials_probe_again();
    if (syscall(SYS_setgroups, 0L, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
        syscall(SYS_setresuid, 0, 0, 0) < 0)
        return error_fail(err, errno, "namespaces", "user", "root of the user namespace");
    /* A change of ids makes a process as dumpable as fs.suid_dumpable says. */
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? error_fail(err, errno, "namespaces", "user", "dumpable") : 0;
}

static int write_map(pid_t pid, const char *name, uint32_t host, uint32_t length) {
    char path[48], line[48];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int len = snprintf(line, sizeof line, "0 %u %u\n", host, length);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, line, (size_t)len);
    int error = errno;
    if (fd >= 0) close(fd);
    errno = error;
    return n == len ? 0 : -1;
}

/* What the child of userns_make and its parent say to each other; whoever finds the other gone ends. */
struct talk {
    int go[2], answer[2];
};

static void close_talk(struct talk *t) {
    int *ends[] = {&t->go[0], &t->go[1], &t->answer[0], &t->answer[1]};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (*ends[i] >= 0) close(*ends[i]);
}

/* The other namespaces come after the identity: what they hold (message queues, parameters) belongs to who made them. */
static _Noreturn void inside_child(struct talk *t, int flags, userns_inside *inside, void *arg) {
    struct error err = {0};
    char byte;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    close(t->go[1]);
    if (read(t->go[0], &byte, 1) != 1) _exit(1);
    if (userns_become_root(&err) == 0) {
        if (unshare(flags) < 0)
            error_set(&err, errno, "namespaces", "new namespaces of the pod");
        else if (inside)
            inside(arg, &err);
    }
    if (write(t->answer[1], &err, sizeof err) != (ssize_t)sizeof err) _exit(1);
    /* The namespaces must last until the parent is in them. */
    _exit(read(t->go[0], &byte, 1) == 0 ? 0 : 1);
}

/* The parent's half: 0 with *userns, or -1 with *err. */
static int settle(struct talk *t, const struct id_map *map, int flags, pid_t pid, int pidfd, int *userns,
                  struct error *err) {
    struct error answer;
    char path[48];
    if (write_map(pid, "uid_map", map->uid, map->length) < 0 || write_map(pid, "gid_map", map->gid, map->length) < 0)
        return error_set(err, errno, "namespaces", "ID mapping of the pod's user namespace");
    if (write(t->go[1], "", 1) != 1 || read(t->answer[0], &answer, sizeof answer) != (ssize_t)sizeof answer)
        return error_set(err, ECHILD, "namespaces", "first process of the pod's user namespace");
    if (answer.error) {
        *err = answer;
        return -1;
    }
    snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    if ((*userns = open(path, O_RDONLY | O_CLOEXEC)) < 0 || setns(pidfd, flags) < 0)
        return error_set(err, errno, "namespaces", "namespaces of the pod");
    return 0;
}

int userns_make(const struct id_map *map, int flags, userns_inside *inside, void *arg, struct error *err) {
    struct talk t = {{-1, -1}, {-1, -1}};
    int pidfd = -1, userns = -1, done = -1;
    if (pipe2(t.go, O_CLOEXEC) < 0 || pipe2(t.answer, O_CLOEXEC) < 0) {
        error_set(err, errno, "namespaces", "pipe");
        close_talk(&t);
        return -1;
    }
    struct k_clone_args args = {
        .flags = K_CLONE_PIDFD | CLONE_NEWUSER, .pidfd = (uint64_t)(uintptr_t)&pidfd, .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(NR_clone3, &args, sizeof args);
    if (pid == 0) inside_child(&t, flags, inside, arg);
    if (pid < 0)
        error_set(err, errno, "namespaces", "new user namespace (see /proc/sys/user/max_user_namespaces)");
    else {
        close(t.answer[1]); /* else nobody would notice that the child is gone */
        t.answer[1] = -1;
        done = settle(&t, map, flags, pid, pidfd, &userns, err);
        close(t.go[1]);
        t.go[1] = -1;
        if (done < 0) kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(pidfd);
    }
    close_talk(&t);
    if (done == 0) return userns;
    if (userns >= 0) close(userns);
    return -1;
}

/* A child that goes into the user namespace for good, and the process that it leaves behind there. clone(2): a filter that is already in
 * force answers clone3 with ENOSYS. */
pid_t userns_first_process(int userns, int mntns, bool sibling) {
    int told[2];
    if (pipe2(told, O_CLOEXEC) < 0) return -1;
    pid_t stage = (pid_t)syscall(SYS_clone, sibling ? CLONE_PARENT : SIGCHLD, 0, 0, 0, 0), pid = -1;
    int error = errno;
    if (stage == 0) {
        if (setns(mntns, CLONE_NEWNS) == 0 && setns(userns, CLONE_NEWUSER) == 0 && unshare(CLONE_NEWPID) == 0)
            pid = (pid_t)syscall(SYS_clone, CLONE_PARENT, 0, 0, 0, 0);
        if (pid == 0) {
            prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
            close(told[0]);
            close(told[1]);
            return 0;
        }
        pid = pid < 0 ? -errno : pid;
        _exit(write(told[1], &pid, sizeof pid) == (ssize_t)sizeof pid ? 0 : 1);
    }
    close(told[1]);
    if (stage > 0) {
        if (read(told[0], &pid, sizeof pid) != (ssize_t)sizeof pid) pid = -ECHILD;
        error = pid < 0 ? -pid : 0;
        if (!sibling) waitpid(stage, NULL, 0);
    }
    close(told[0]);
    errno = error;
    return pid < 0 ? -1 : pid;
}

int userns_own_files(struct builder *b) {
    const struct id_map *map = &b->env->map;
    if (b->env->userns < 0) return 0;
    setfsgid(map->gid);
    setfsuid(map->uid);
    /* setfsuid(2) tells nothing; it also takes the capabilities over files away. */
    if (setfsuid((uid_t)-1) != (int)map->uid || setfsgid((gid_t)-1) != (int)map->gid)
        return error_fail(&b->err, EPERM, "namespaces", "user", "owner of new files");
    if (credentials_raise_all() < 0) return error_fail(&b->err, errno, "namespaces", "user", "capabilities");
    return 0;
}

int userns_enter(struct builder *b, int flags) {
    if (setns(b->env->userns, CLONE_NEWUSER) < 0 || (flags && unshare(flags) < 0))
        return error_fail(&b->err, errno, "namespaces", "user", "entering the user namespace");
    return userns_become_root(&b->err);
}
