#include "test/draft.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "test/fixture.h"

bool fixture_idmap_binds;
const struct identity root_identity = {
    .bounding = CAPS_DEFAULT, .permitted = CAPS_DEFAULT, .effective = CAPS_DEFAULT, .group_count = 1};

void op_begin(struct draft *d, uint16_t code) {
    d->op = d->w.len;
    wire_put_bytes(&d->w, code, NULL, 0);
}

void op_end(struct draft *d) {
    uint32_t len = (uint32_t)(d->w.len - d->op - 6);
    for (int i = 0; i < 4; i++) d->data[d->op + 2 + (size_t)i] = (uint8_t)(len >> (8 * i));
}

void put_namespaces(struct draft *d, uint8_t pid) {
    op_begin(d, PLAN_NAMESPACES);
    wire_put_u8(&d->w, 1, pid);
    wire_put_u8(&d->w, 3, 0);
    op_end(d);
}

void put_mount(struct draft *d, const char *type, const char *destination, uint32_t flags, const char *option,
               const char *option2) {
    op_begin(d, PLAN_MOUNT);
    wire_put_u8(&d->w, 1, PLAN_KIND_MOUNT);
    wire_put_string(&d->w, 2, type);
    wire_put_string(&d->w, 3, destination);
    if (option) wire_put_string(&d->w, 4, option);
    if (option2) wire_put_string(&d->w, 4, option2);
    wire_put_u32(&d->w, 5, flags);
    op_end(d);
}

void put_bind_as(struct draft *d, const char *source, const char *destination, uint32_t flags, bool recursive,
                 uint8_t propagation) {
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

void put_bind(struct draft *d, const char *source, const char *destination, uint32_t flags, bool recursive) {
    put_bind_as(d, source, destination, flags, recursive, PLAN_PROPAGATION_PRIVATE);
}

void put_device(struct draft *d, const char *path, uint32_t major, uint32_t minor) {
    op_begin(d, PLAN_DEVICE);
    wire_put_u8(&d->w, 1, PLAN_KIND_DEVICE);
    wire_put_string(&d->w, 2, path);
    wire_put_u8(&d->w, 3, 'c');
    wire_put_u32(&d->w, 4, major);
    wire_put_u32(&d->w, 5, minor);
    wire_put_u32(&d->w, 6, 0666);
    wire_put_u32(&d->w, 7, fixture_env.map.uid); /* as the host calls the container's root */
    wire_put_u32(&d->w, 8, fixture_env.map.gid);
    op_end(d);
}

void put_symlink(struct draft *d, const char *path, const char *target) {
    op_begin(d, PLAN_DEVICE);
    wire_put_u8(&d->w, 1, PLAN_KIND_SYMLINK);
    wire_put_string(&d->w, 2, path);
    wire_put_string(&d->w, 3, target);
    op_end(d);
}

void put_path(struct draft *d, uint16_t code, const char *path) {
    op_begin(d, code);
    wire_put_string(&d->w, 1, path);
    op_end(d);
}

void put_terminal(struct draft *d) {
    static const uint8_t size[] = {1, 0, 2, 0, 0, 0, 80, 0, 2, 0, 2, 0, 0, 0, 24, 0};
    op_begin(d, PLAN_TERMINAL);
    memcpy(d->data + d->w.len, size, sizeof size);
    d->w.len += sizeof size;
    op_end(d);
}

void put_credentials(struct draft *d, const struct identity *id) {
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

void put_seccomp(struct draft *d) {
    static const uint8_t allow[8] = {0x06, 0, 0, 0, 0, 0, 0xff, 0x7f};
    op_begin(d, PLAN_SECCOMP);
    wire_put_bytes(&d->w, 1, allow, sizeof allow);
    wire_put_u32(&d->w, 2, 0);
    op_end(d);
}

void put_exec(struct draft *d, const char *const *argv) {
    op_begin(d, PLAN_EXEC);
    for (; *argv; argv++) wire_put_string(&d->w, 1, *argv);
    wire_put_string(&d->w, 2, "PATH=/bin");
    op_end(d);
}

static void put_hooks(struct draft *d, const struct drafted_hook *hook) {
    static const char state[] = "{\"id\":\"c\"";
    if (!hook->stage) return;
    mkdir(at("bundle"), 0755);
    mkdir(at("bundle/rootfs"), 0755);
    op_begin(d, PLAN_HOOKS);
    wire_put_string(&d->w, 1, at("bundle"));
    wire_put_bytes(&d->w, 2, (const uint8_t *)state, sizeof state - 1);
    wire_put_u8(&d->w, 3, 0);
    wire_put_u32(&d->w, 4, 0);
    wire_put_u32(&d->w, 5, 0);
    op_end(d);
    for (; hook->stage; hook++) {
        op_begin(d, PLAN_HOOK);
        wire_put_u8(&d->w, 1, hook->stage);
        wire_put_string(&d->w, 2, hook->argv[0]);
        for (unsigned i = 0; i < 4 && hook->argv[i]; i++) wire_put_string(&d->w, 3, hook->argv[i]);
        wire_put_string(&d->w, 4, "PATH=/bin:/usr/bin");
        wire_put_u32(&d->w, 5, hook->timeout_ms ? hook->timeout_ms : 10000);
        op_end(d);
    }
}

void draft_container(struct draft *d, const char *layer, const char *name, const struct wish *w) {
    static const char *const nodes[][3] = {{"/dev/null", "1", "3"},    {"/dev/zero", "1", "5"},
                                           {"/dev/full", "1", "7"},    {"/dev/random", "1", "8"},
                                           {"/dev/urandom", "1", "9"}, {"/dev/tty", "5", "0"}};
    wire_writer_init(&d->w, d->data, sizeof d->data);
    for (int i = 0; i < 4 && w->cgroup[i]; i++) {
        op_begin(d, PLAN_CGROUP_DIR);
        wire_put_string(&d->w, 1, w->cgroup[i]);
        wire_put_u8(&d->w, 2, strstr(w->cgroup[i], "unified") ? 3 : strstr(w->cgroup[i], "cpuset") ? 2 : 1);
        wire_put_u8(&d->w, 3, PLAN_CGROUP_ROLE_LEAF);
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
    put_namespaces(d, w->pid ? w->pid : PLAN_PID_MODE_CONTAINER);
    op_begin(d, PLAN_ROOTFS);
    wire_put_string(&d->w, 1, layer);
    wire_put_string(&d->w, 2, at("%s.upper", name));
    wire_put_string(&d->w, 3, at("%s.work", name));
    wire_put_u8(&d->w, 4, w->readonly_root);
    wire_put_u8(&d->w, 5, PLAN_PROPAGATION_PRIVATE);
    if (fixture_env.userns >= 0) wire_put_string(&d->w, 10, fixture_dir);
    op_end(d);
    mkdir(at("%s.upper", name), 0755);
    mkdir(at("%s.work", name), 0755);
    put_hooks(d, w->hooks);
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
                    w->bind_propagation ? w->bind_propagation : PLAN_PROPAGATION_PRIVATE);
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

void draft_exec(struct draft *d, const struct wish *w) {
    wire_writer_init(&d->w, d->data, sizeof d->data);
    if (w->terminal) put_terminal(d);
    put_path(d, PLAN_CWD, w->cwd ? w->cwd : "/");
    put_credentials(d, w->identity ? w->identity : &root_identity);
    if (w->seccomp) put_seccomp(d);
    const char *script[] = {"/bin/sh", "-c", w->script, NULL};
    put_exec(d, w->argv ? w->argv : script);
}
