/* What the tests of the builder share: plans put together field by field, a small supervisor that drives one build, and a busybox root
 * file system. Run as root; everything made is below one temporary directory and below cgroups of the same name. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "build/build.h"
#include "build/env.h"
#include "build/message.h"
#include "build/mntns.h"
#include "plan/plan.h"

static int tap_count, tap_failed;

__attribute__((format(printf, 2, 3), unused)) static bool ok(bool good, const char *name, ...) {
    va_list ap;
    va_start(ap, name);
    printf("%sok %d - ", good ? "" : "not ", ++tap_count);
    vprintf(name, ap);
    putchar('\n');
    fflush(stdout);
    va_end(ap);
    tap_failed += !good;
    return good;
}

__attribute__((unused)) static int done(void) {
    printf("1..%d\n", tap_count);
    return tap_failed != 0;
}

__attribute__((unused)) static void same(const char *found, const char *wanted, const char *name) {
    if (!ok(strcmp(found, wanted) == 0, "%s", name)) printf("# found:  %s\n# wanted: %s\n", found, wanted);
}

__attribute__((unused)) static void has(const char *text, const char *part, const char *name) {
    if (!ok(strstr(text, part) != NULL, "%s", name)) printf("# found:  %s\n# wanted: …%s…\n", text, part);
}

static struct build_env fixture_env = {.userns = -1};
static bool fixture_idmap_binds; /* of the plans that are drafted from now on */

/* A plan under construction. */
struct draft {
    uint8_t data[65536];
    struct wire_writer w;
    size_t op;
};

__attribute__((unused)) static void op_begin(struct draft *d, uint16_t code) {
    d->op = d->w.len;
    wire_put_bytes(&d->w, code, NULL, 0);
}

__attribute__((unused)) static void op_end(struct draft *d) {
    uint32_t len = (uint32_t)(d->w.len - d->op - 6);
    for (int i = 0; i < 4; i++) d->data[d->op + 2 + (size_t)i] = (uint8_t)(len >> (8 * i));
}

__attribute__((unused)) static void put_namespaces(struct draft *d, uint8_t pid) {
    op_begin(d, PLAN_NAMESPACES);
    wire_put_u8(&d->w, 1, pid);
    wire_put_u8(&d->w, 3, 0);
    op_end(d);
}

__attribute__((unused)) static void put_mount(struct draft *d, const char *type, const char *destination,
                                              uint32_t flags, const char *option, const char *option2) {
    op_begin(d, PLAN_MOUNT);
    wire_put_u8(&d->w, 1, PLAN_KIND_MOUNT);
    wire_put_string(&d->w, 2, type);
    wire_put_string(&d->w, 3, destination);
    if (option) wire_put_string(&d->w, 4, option);
    if (option2) wire_put_string(&d->w, 4, option2);
    wire_put_u32(&d->w, 5, flags);
    op_end(d);
}

__attribute__((unused)) static void put_bind_as(struct draft *d, const char *source, const char *destination,
                                                uint32_t flags, bool recursive, uint8_t propagation) {
    op_begin(d, PLAN_MOUNT);
    wire_put_u8(&d->w, 1, PLAN_KIND_BIND);
    wire_put_string(&d->w, 2, source);
    wire_put_string(&d->w, 3, destination);
    wire_put_u32(&d->w, 5, flags);
    wire_put_u8(&d->w, 6, recursive);
    wire_put_u8(&d->w, 7, propagation);
    wire_put_u8(&d->w, 10, fixture_idmap_binds);
    op_end(d);
}

__attribute__((unused)) static void put_bind(struct draft *d, const char *source, const char *destination,
                                             uint32_t flags, bool recursive) {
    put_bind_as(d, source, destination, flags, recursive, PLAN_PRIVATE);
}

__attribute__((unused)) static void put_device(struct draft *d, const char *path, uint32_t major, uint32_t minor) {
    op_begin(d, PLAN_DEVICE);
    wire_put_u8(&d->w, 1, PLAN_KIND_NODE);
    wire_put_string(&d->w, 2, path);
    wire_put_u8(&d->w, 3, 'c');
    wire_put_u32(&d->w, 4, major);
    wire_put_u32(&d->w, 5, minor);
    wire_put_u32(&d->w, 6, 0666);
    wire_put_u32(&d->w, 7, fixture_env.map.uid); /* as the host calls the container's root */
    wire_put_u32(&d->w, 8, fixture_env.map.gid);
    op_end(d);
}

__attribute__((unused)) static void put_symlink(struct draft *d, const char *path, const char *target) {
    op_begin(d, PLAN_DEVICE);
    wire_put_u8(&d->w, 1, PLAN_KIND_SYMLINK);
    wire_put_string(&d->w, 2, path);
    wire_put_string(&d->w, 3, target);
    op_end(d);
}

__attribute__((unused)) static void put_path(struct draft *d, uint16_t code, const char *path) {
    op_begin(d, code);
    wire_put_string(&d->w, 1, path);
    op_end(d);
}

__attribute__((unused)) static void put_terminal(struct draft *d) {
    static const uint8_t size[] = {1, 0, 2, 0, 0, 0, 80, 0, 2, 0, 2, 0, 0, 0, 24, 0};
    op_begin(d, PLAN_TERMINAL);
    memcpy(d->data + d->w.len, size, sizeof size);
    d->w.len += sizeof size;
    op_end(d);
}

struct identity {
    uint32_t uid, gid, groups[4], group_count;
    uint64_t bounding, permitted, effective, inheritable, ambient;
    uint8_t no_new_privileges;
};

/* The default capabilities of a container. */
#define CAPS_DEFAULT 0xa80425fbull

__attribute__((unused)) static void put_credentials(struct draft *d, const struct identity *id) {
    op_begin(d, PLAN_CREDENTIALS);
    wire_put_u32(&d->w, 1, id->uid);
    wire_put_u32(&d->w, 2, id->gid);
    wire_put_bytes(&d->w, 3, id->groups, id->group_count * 4);
    wire_put_u64(&d->w, 4, id->bounding);
    wire_put_u64(&d->w, 5, id->effective);
    wire_put_u64(&d->w, 6, id->permitted);
    wire_put_u64(&d->w, 7, id->inheritable);
    wire_put_u64(&d->w, 8, id->ambient);
    wire_put_u8(&d->w, 9, id->no_new_privileges);
    wire_put_u32(&d->w, 10, 022);
    op_end(d);
}

/* A filter that allows everything: seccomp(2) is used, nothing is refused. */
__attribute__((unused)) static void put_seccomp(struct draft *d) {
    static const uint8_t allow[8] = {0x06, 0, 0, 0, 0, 0, 0xff, 0x7f};
    op_begin(d, PLAN_SECCOMP);
    wire_put_bytes(&d->w, 1, allow, sizeof allow);
    wire_put_u32(&d->w, 2, 0);
    op_end(d);
}

__attribute__((unused)) static void put_exec(struct draft *d, const char *const *argv) {
    op_begin(d, PLAN_EXEC);
    for (; *argv; argv++) wire_put_string(&d->w, 1, *argv);
    wire_put_string(&d->w, 2, "PATH=/bin");
    op_end(d);
}

/* What differs between the plans of the tests; zero is the ordinary container. */
struct wish {
    const char *script;      /* run by sh -c */
    const char *const *argv; /* instead of the script */
    const char *cwd;
    const char *cgroup[4];     /* directories, v1 unless the name has "unified" in it */
    const char *controllers;   /* passed on to the v2 directory */
    const char *limit[3][2];   /* cgroup file and value */
    struct wire_bytes devices; /* program for the v2 directory, which is the first one */
    bool limit_optional;
    const char *masks[4], *readonly[4];
    const char *binds[4][2];
    const char *images[4][2]; /* destination and sub path of an image of the layers "image.top" and "image.below" */
    uint32_t bind_flags;
    uint8_t bind_propagation; /* plan_propagation; 0: private */
    bool bind_recursive_readonly;
    const char *early_bind[2];  /* before the container's own mounts */
    const char *extra_mount[3]; /* type, destination, option */
    uint32_t extra_mount_flags;
    const char *device; /* another node, 1:5 */
    uint8_t pid;        /* plan_pid_mode; 0: container */
    bool readonly_root, terminal, seccomp, no_dev, no_cgroup_mount;
    struct identity *identity;
};

static char fixture_dir[64];
static const struct identity root_identity = {
    .bounding = CAPS_DEFAULT, .permitted = CAPS_DEFAULT, .effective = CAPS_DEFAULT, .group_count = 1};

__attribute__((unused, format(printf, 1, 2))) static char *at(const char *format, ...) {
    static char ring[4096][256]; /* more than any test makes: what it hands out stays valid */
    static int next;
    char *out = ring[next++ % 4096];
    int len = snprintf(out, 256, "%s/", fixture_dir);
    va_list ap;
    va_start(ap, format);
    vsnprintf(out + len, (size_t)(256 - len), format, ap);
    va_end(ap);
    return out;
}

__attribute__((unused)) static void put_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) perror(path);
    close(fd);
}

__attribute__((unused)) static char *get_file(const char *path) {
    static char text[8192];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    if (fd >= 0) close(fd);
    return text;
}

/* The layers of an image to be mounted. */
__attribute__((unused)) static void fresh_image(void) {
    char command[1024];
    snprintf(command, sizeof command,
             "cd %s && mkdir -p image.top/etc image.below/etc image.below/bin && cp /bin/busybox image.below/bin && "
             "echo top > image.top/etc/top && echo first > image.below/etc/both && echo second > image.top/etc/both && "
             "chown 1000:1000 image.top/etc/both && ln -s /etc image.top/escape && ln -s /nowhere image.top/dangling",
             fixture_dir);
    if (system(command) != 0) fprintf(stderr, "image\n");
}

/* A lower directory with busybox and nothing else but what the test adds. */
__attribute__((unused)) static char *fresh_layer(const char *name) {
    char *layer = at("%s", name), command[2048];
    snprintf(command, sizeof command,
             "mkdir -p %s/bin %s/etc %s/tmp && cp /bin/busybox %s/bin/busybox && for a in sh cat ls grep id sleep "
             "mkdir stat readlink "
             "hostname ps mount head wc echo true touch env pwd tr sed sort seq; do ln -sf busybox %s/bin/$a; done",
             layer, layer, layer, layer, layer);
    if (system(command) != 0) fprintf(stderr, "layer %s\n", layer);
    return layer;
}

__attribute__((unused)) static void draft_container(struct draft *d, const char *layer, const char *name,
                                                    const struct wish *w) {
    static const char *const nodes[][3] = {{"/dev/null", "1", "3"},    {"/dev/zero", "1", "5"},
                                           {"/dev/full", "1", "7"},    {"/dev/random", "1", "8"},
                                           {"/dev/urandom", "1", "9"}, {"/dev/tty", "5", "0"}};
    wire_writer_init(&d->w, d->data, sizeof d->data);
    for (int i = 0; i < 4 && w->cgroup[i]; i++) {
        op_begin(d, PLAN_CGROUP_DIR);
        wire_put_string(&d->w, 1, w->cgroup[i]);
        wire_put_u8(&d->w, 2, strstr(w->cgroup[i], "unified") ? 3 : strstr(w->cgroup[i], "cpuset") ? 2 : 1);
        wire_put_u8(&d->w, 3, PLAN_CGROUP_LEAF);
        if (w->controllers && strstr(w->cgroup[i], "unified")) wire_put_string(&d->w, 4, w->controllers);
        op_end(d);
    }
    for (int i = 0; i < 3 && w->limit[i][0]; i++) {
        op_begin(d, PLAN_CGROUP_WRITE);
        wire_put_string(&d->w, 1, w->limit[i][0]);
        wire_put_string(&d->w, 2, w->limit[i][1]);
        wire_put_u8(&d->w, 3, w->limit_optional);
        op_end(d);
    }
    if (w->devices.len) {
        op_begin(d, PLAN_CGROUP_DEVICES);
        wire_put_string(&d->w, 1, w->cgroup[0]);
        wire_put_bytes(&d->w, 2, w->devices.data, w->devices.len);
        op_end(d);
    }
    put_namespaces(d, w->pid ? w->pid : PLAN_PID_CONTAINER);
    op_begin(d, PLAN_ROOTFS);
    wire_put_string(&d->w, 1, layer);
    wire_put_string(&d->w, 2, at("%s.upper", name));
    wire_put_string(&d->w, 3, at("%s.work", name));
    wire_put_u8(&d->w, 4, w->readonly_root);
    wire_put_u8(&d->w, 5, PLAN_PRIVATE);
    if (fixture_env.userns >= 0) wire_put_string(&d->w, 10, fixture_dir);
    op_end(d);
    mkdir(at("%s.upper", name), 0755);
    mkdir(at("%s.work", name), 0755);
    if (w->early_bind[0]) put_bind(d, w->early_bind[0], w->early_bind[1], 0, false);
    put_mount(d, "proc", "/proc", 0xe, NULL, NULL);
    if (!w->no_dev) {
        put_mount(d, "tmpfs", "/dev", 0x2, "mode=755", "size=65536k");
        put_mount(d, "devpts", "/dev/pts", 0xa, "ptmxmode=0666", "mode=0620");
        put_mount(d, "shm", "/dev/shm", 0xe, NULL, NULL);
        put_mount(d, "mqueue", "/dev/mqueue", 0xe, NULL, NULL);
    }
    put_mount(d, "sysfs", "/sys", 0xf, NULL, NULL);
    if (!w->no_cgroup_mount) put_mount(d, "cgroup", "/sys/fs/cgroup", 0xf, NULL, NULL);
    if (w->extra_mount[0])
        put_mount(d, w->extra_mount[0], w->extra_mount[1], w->extra_mount_flags, w->extra_mount[2], NULL);
    for (int i = 0; i < 4 && w->binds[i][0]; i++)
        put_bind_as(d, w->binds[i][0], w->binds[i][1], w->bind_flags, w->bind_recursive_readonly,
                    w->bind_propagation ? w->bind_propagation : PLAN_PRIVATE);
    for (int i = 0; i < 4 && w->images[i][0]; i++) {
        op_begin(d, PLAN_MOUNT);
        wire_put_u8(&d->w, 1, PLAN_KIND_IMAGE);
        wire_put_string(&d->w, 2, at("image.top"));
        wire_put_string(&d->w, 2, at("image.below"));
        wire_put_string(&d->w, 3, w->images[i][0]);
        if (w->images[i][1]) wire_put_string(&d->w, 4, w->images[i][1]);
        wire_put_u32(&d->w, 5, 0x7);
        op_end(d);
    }
    for (size_t i = 0; !w->no_dev && i < 6; i++)
        put_device(d, nodes[i][0], (uint32_t)atoi(nodes[i][1]), (uint32_t)atoi(nodes[i][2]));
    if (w->device) put_device(d, w->device, 1, 5);
    if (!w->no_dev) {
        put_symlink(d, "/dev/fd", "/proc/self/fd");
        put_symlink(d, "/dev/stdin", "/proc/self/fd/0");
        put_symlink(d, "/dev/stdout", "/proc/self/fd/1");
        put_symlink(d, "/dev/stderr", "/proc/self/fd/2");
        put_symlink(d, "/dev/ptmx", "pts/ptmx");
    }
    for (int i = 0; i < 4 && w->masks[i]; i++) put_path(d, PLAN_MASK, w->masks[i]);
    for (int i = 0; i < 4 && w->readonly[i]; i++) put_path(d, PLAN_READONLY, w->readonly[i]);
    if (w->terminal) put_terminal(d);
    put_path(d, PLAN_CWD, w->cwd ? w->cwd : "/");
    put_credentials(d, w->identity ? w->identity : &root_identity);
    if (w->seccomp) put_seccomp(d);
    const char *script[] = {"/bin/sh", "-c", w->script, NULL};
    put_exec(d, w->argv ? w->argv : script);
}

__attribute__((unused)) static void draft_exec(struct draft *d, const struct wish *w) {
    wire_writer_init(&d->w, d->data, sizeof d->data);
    if (w->terminal) put_terminal(d);
    put_path(d, PLAN_CWD, w->cwd ? w->cwd : "/");
    put_credentials(d, w->identity ? w->identity : &root_identity);
    if (w->seccomp) put_seccomp(d);
    const char *script[] = {"/bin/sh", "-c", w->script, NULL};
    put_exec(d, w->argv ? w->argv : script);
}

/* One process being built, run and ended. */
struct run {
    struct build_process process;
    struct build_message failed; /* .type is 0 unless the builder reported */
    struct error err;
    pid_t pid;
    int sync, out, console, status;
    char text[16384];
};

__attribute__((unused)) static struct wire_bytes bytes_of(const struct draft *d) {
    return (struct wire_bytes){d->data, (uint32_t)d->w.len};
}

/* Messages until READY (create), or until the socket ends. True while nothing has failed. */
__attribute__((unused)) static bool listen_to(struct run *r, bool until_ready) {
    for (;;) {
        struct build_message m = {0};
        struct iovec iov = {&m, sizeof m};
        char control[CMSG_SPACE(sizeof(int))];
        struct msghdr msg = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        struct pollfd p = {r->sync, POLLIN, 0};
        if (poll(&p, 1, 10000) <= 0) {
            ok(false, "a builder answers within 10 s");
            return false;
        }
        ssize_t n = recvmsg(r->sync, &msg, MSG_CMSG_CLOEXEC);
        if (n != (ssize_t)sizeof m) return n == 0 && !until_ready && r->failed.type == 0;
        if (m.type == BUILD_PAYLOAD)
            r->pid = m.pid;
        else if (m.type == BUILD_CONSOLE)
            memcpy(&r->console, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof r->console);
        else if (m.type == BUILD_FAILED)
            r->failed = m;
        else if (m.type == BUILD_READY && until_ready)
            return true;
    }
}

struct driver_io {
    struct build_io io;
    int ours[2]; /* sync, output */
};

__attribute__((unused)) static struct driver_io open_io(bool terminal) {
    struct driver_io d = {.io = {.terminal = terminal}};
    int pair[2], out[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || pipe2(out, O_CLOEXEC) < 0) perror("io");
    d.io.sync = pair[1];
    d.io.stdio[0] = fixture_env.null_fd;
    d.io.stdio[1] = d.io.stdio[2] = out[1];
    d.ours[0] = pair[0];
    d.ours[1] = out[0];
    return d;
}

__attribute__((unused)) static bool settle(struct run *r, struct driver_io *io, int result, bool create) {
    close(io->io.sync);
    close(io->io.stdio[1]);
    r->sync = io->ours[0];
    r->out = io->ours[1];
    r->console = -1;
    r->pid = r->process.builder;
    if (result < 0) return false;
    return listen_to(r, create);
}

/* CREATE: up to READY. */
__attribute__((unused)) static bool create(struct run *r, const struct draft *d, int target) {
    *r = (struct run){0};
    struct plan_op *terminal;
    struct plan plan;
    struct wire_bytes plan_bytes = bytes_of(d);
    bool wants_terminal = false;
    if (plan_decode(&plan_bytes, PLAN_OF_CONTAINER, &plan, &r->err) == 0) {
        terminal = plan_find(&plan, PLAN_TERMINAL);
        wants_terminal = terminal != NULL;
        plan_free(&plan);
    }
    struct driver_io io = open_io(wants_terminal);
    return settle(r, &io, build_container(&plan_bytes, &fixture_env, &io.io, target, &r->process, &r->err), true);
}

/* START: releases the process and waits for execve. */
__attribute__((unused)) static bool release(struct run *r) { return write(r->sync, "", 1) == 1 && listen_to(r, false); }

__attribute__((unused)) static bool exec_in(struct run *r, const struct draft *container, const struct draft *process,
                                            int init_pidfd, bool terminal) {
    *r = (struct run){0};
    struct wire_bytes c = bytes_of(container), p = bytes_of(process);
    struct driver_io io = open_io(terminal);
    return settle(r, &io, build_exec(&c, &p, &fixture_env, &io.io, init_pidfd, &r->process, &r->err), false);
}

/* Reads all output and reaps. */
__attribute__((unused)) static void finish(struct run *r) {
    size_t used = 0;
    ssize_t n;
    int from = r->console >= 0 ? r->console : r->out;
    while (from >= 0 && used < sizeof r->text - 1 && (n = read(from, r->text + used, sizeof r->text - 1 - used)) > 0)
        used += (size_t)n;
    r->text[used] = 0;
    if (r->process.builder > 0) waitpid(r->process.builder, &r->status, 0);
    if (r->pid != r->process.builder && r->pid > 0) waitpid(r->pid, &r->status, 0);
    close(r->sync);
    close(r->out);
    if (r->console >= 0) close(r->console);
    if (r->process.pidfd > 0) close(r->process.pidfd);
}

/* The whole life of a container; its output is in r->text. */
__attribute__((unused)) static bool run(struct run *r, const char *layer, const char *name, const struct wish *w) {
    static struct draft d;
    draft_container(&d, layer, name, w);
    bool good = create(r, &d, -1) && release(r);
    finish(r);
    return good;
}

__attribute__((unused)) static void fixture_remove(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", fixture_dir);
    if (system(command) != 0) fprintf(stderr, "cannot remove %s\n", fixture_dir);
}

__attribute__((unused)) static bool fixture_open(void) {
    struct error err;
    setvbuf(stdout, NULL, _IOLBF, 0);
    strcpy(fixture_dir, "/tmp/jangada-test-XXXXXX");
    if (!mkdtemp(fixture_dir)) return false;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    fixture_env.pod_pidns = fixture_env.userns = -1;
    fixture_env.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    fixture_env.empty_mntns = build_pod_mntns(1 << 20, NULL, "", &err);
    if (fixture_env.empty_mntns < 0) printf("Bail out! %s %s\n", err.step, err.detail);
    return fixture_env.empty_mntns >= 0;
}
