#include "pod/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/kernel.h"
#include "base/loopback.h"
#include "base/member.h"
#include "build/env.h"
#include "build/mntns.h"
#include "build/userns.h"
#include "pod/pod_init.h"
#include "pod/sysctl.h"

#define INIT_END_MS 2000
#define SHM_BYTES (64ull << 20) /* the field's default for a pod's /dev/shm */

void sandbox_init(struct sandbox *s) {
    *s = (struct sandbox){.env = {.empty_mntns = -1, .pod_pidns = -1, .userns = -1}, .init_lifeline = -1};
}

static bool same_namespace(const char *path, const struct stat *before) {
    struct stat now;
    return stat(path, &now) < 0 || (now.st_ino == before->st_ino && now.st_dev == before->st_dev);
}

/* CVE-2020-10749: a neighbour with CAP_NET_RAW must not become the pod's IPv6 router by announcing itself. Before any interface is there,
 * because it is copied into each that comes; a failed duplicate address detection costs the address, never all of IPv6. */
static int set_ipv6_defaults(struct error *err) {
    static const char *const settings[] = {
        "net.ipv6.conf.all.accept_ra=0",
        "net.ipv6.conf.default.accept_ra=0",
        "net.ipv6.conf.default.accept_dad=1",
    };
    if (access("/proc/sys/net/ipv6", F_OK) < 0) return 0; /* a host without IPv6 */
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct wire_bytes setting = {(const uint8_t *)settings[i], (uint32_t)strlen(settings[i])};
        if (sysctl_write(&setting, err) < 0) return -1;
    }
    return 0;
}

static int check_sysctls(const struct request *r, unsigned field, const struct own_namespaces *own, struct error *err) {
    struct wire_reader reader;
    struct wire_bytes setting;
    wire_reader_init(&reader, r->payload.data, r->payload.len);
    while (request_each(&reader, field, &setting))
        if (sysctl_check(&setting, own, err) < 0) return -1;
    return 0;
}

static int set_sysctls(const struct request *r, unsigned field, struct error *err) {
    struct wire_reader reader;
    struct wire_bytes setting;
    wire_reader_init(&reader, r->payload.data, r->payload.len);
    while (request_each(&reader, field, &setting))
        if (sysctl_write(&setting, err) < 0) return -1;
    return 0;
}

static bool has_user_namespace(const struct request *r) { return r->field[FIELD_SANDBOX_USERNS].len > 0; }

struct inside {
    const struct request *r;
    const struct own_namespaces *own;
};

/* In the new namespaces: a parameter takes its meaning, IDs for example, from the user namespace of whoever writes it. */
static int set_up_inside(void *arg, struct error *err) {
    const struct inside *inside = arg;
    if (inside->own->network && set_ipv6_defaults(err) < 0) return -1;
    return set_sysctls(inside->r, FIELD_SANDBOX_SYSCTLS, err);
}

/* By a child, which does not have the frame that the request came in (base/unshared.h). */
static int make_user_namespace(struct sandbox *s, int flags, const struct inside *inside, struct error *err) {
    struct request copied = *inside->r;
    uint8_t *payload = malloc(copied.payload.len);
    if (!payload) return error_set(err, ENOMEM, "namespaces", "parameters of the pod's namespaces");
    copied.payload.data = memcpy(payload, copied.payload.data, copied.payload.len);
    s->env.userns = userns_make(&s->env.map, flags, set_up_inside, &(struct inside){&copied, inside->own}, err);
    free(payload);
    return s->env.userns < 0 ? -1 : 0;
}

/* New namespaces, proven by their inodes to be others than the host's. */
static int make_namespaces(struct sandbox *s, const struct request *r, const struct own_namespaces *own,
                           struct error *err) {
    struct inside inside = {r, own};
    struct stat net, ipc;
    if (stat("/proc/self/ns/net", &net) < 0 || stat("/proc/self/ns/ipc", &ipc) < 0)
        return error_set(err, errno, "namespaces", "/proc/self/ns");
    int flags = CLONE_NEWUTS | (own->network ? CLONE_NEWNET : 0) | (own->ipc ? CLONE_NEWIPC : 0);
    if (has_user_namespace(r)) {
        if (make_user_namespace(s, flags, &inside, err) < 0) return -1;
    } else if (unshare(flags) < 0) {
        return error_set(err, errno, "namespaces", "new namespaces of the pod");
    } else if (set_up_inside(&inside, err) < 0) {
        return -1;
    }
    if ((own->network && same_namespace("/proc/self/ns/net", &net)) ||
        (own->ipc && same_namespace("/proc/self/ns/ipc", &ipc)))
        return error_set(err, EPERM, "namespaces", "new namespaces of the pod are not new");
    return 0;
}

/* A bind mount keeps the namespace reachable for CNI plugins. The file is ours alone: made here, never through a symlink. */
static int pin_network(struct sandbox *s, struct error *err) {
    int fd = open(s->netns_path, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
    if (fd < 0) return error_set(err, errno, "network", "network namespace file %s", s->netns_path);
    char target[64];
    snprintf(target, sizeof target, "/proc/self/fd/%d", fd);
    int done = mount("/proc/self/ns/net", target, NULL, MS_BIND, NULL);
    int error = errno;
    close(fd);
    if (done == 0) return 0;
    unlink(s->netns_path);
    return error_set(err, error, "network", "bind mount of the network namespace on %s", s->netns_path);
}

static void unpin_network(struct sandbox *s) {
    if (s->netns_path[0] == 0) return;
    umount2(s->netns_path, MNT_DETACH | UMOUNT_NOFOLLOW);
    unlink(s->netns_path);
    s->netns_path[0] = 0;
}

/* The host's root is nobody in a pod, and the last ID means "none" to the kernel. */
static bool read_map(const struct request *r, struct id_map *map) {
    const struct wire_bytes *f = &r->field[FIELD_SANDBOX_USERNS];
    if (f->len != 12) return false;
    *map = (struct id_map){wire_load32(f->data), wire_load32(f->data + 4), wire_load32(f->data + 8)};
    return map->uid > 0 && map->gid > 0 && map->length > 0 && map->uid <= UINT32_MAX - map->length &&
           map->gid <= UINT32_MAX - map->length;
}

/* Everything that can be refused is refused before anything is made. */
static int check(struct sandbox *s, const struct request *r, const struct own_namespaces *own, char hostname[65],
                 struct error *err) {
    if (s->ready) return error_set(err, EEXIST, "sandbox", "the pod's namespaces are made once");
    if (has_user_namespace(r) && !read_map(r, &s->env.map))
        return error_set(err, EINVAL, "namespaces", "ID mapping of the pod's user namespace");
    if (!request_string(r, FIELD_SANDBOX_HOSTNAME, hostname, 65))
        return error_set(err, EINVAL, "hostname", "hostname is longer than 64 bytes");
    if (!request_string(r, FIELD_SANDBOX_NETNS_PATH, s->netns_path, sizeof s->netns_path))
        return error_set(err, ENAMETOOLONG, "network", "path of the network namespace");
    if (s->netns_path[0] && (s->netns_path[0] != '/' || !own->network)) {
        s->netns_path[0] = 0;
        return error_set(err, EINVAL, "network",
                         "only a network namespace of the pod's own is pinned, on an absolute path");
    }
    if (check_sysctls(r, FIELD_SANDBOX_SYSCTLS, own, err) < 0) {
        s->netns_path[0] = 0;
        return -1;
    }
    return 0;
}

static void init_ended(struct child *child, int status) {
    (void)status;
    struct sandbox *s = container_of(child, struct sandbox, init);
    if (s->on_init_ended) s->on_init_ended(s);
}

static int start_init(struct sandbox *s, const struct plan *plan, struct error *err) {
    pid_t pid = pod_init_start(&s->env, plan, &s->init_lifeline, &s->env.pod_pidns, err);
    if (pid < 0) return -1;
    child_watch(&s->init, pid, init_ended);
    return 0;
}

int sandbox_sysctls(struct sandbox *s, const struct request *r, struct error *err) {
    if (!s->ready) return error_set(err, ENXIO, "sysctl", "the pod has no namespaces yet: SANDBOX comes first");
    return check_sysctls(r, FIELD_SYSCTLS_SYSCTLS, &s->own, err) < 0 ? -1 : set_sysctls(r, FIELD_SYSCTLS_SYSCTLS, err);
}

int sandbox_share_pid(struct sandbox *s, const struct plan *plan, struct error *err) {
    if (!s->ready) return error_set(err, ENXIO, "namespaces", "the pod has no namespaces yet: SANDBOX comes first");
    return s->env.pod_pidns >= 0 ? 0 : start_init(s, plan, err);
}

int sandbox_make(struct sandbox *s, const struct request *r, struct error *err) {
    char hostname[65];
    const struct own_namespaces own = {.network = request_u8(r, FIELD_SANDBOX_OWN_NETWORK),
                                       .ipc = request_u8(r, FIELD_SANDBOX_OWN_IPC)};
    char label[LABEL_MAX + 1];
    if (!request_string(r, FIELD_SANDBOX_MOUNT_LABEL, label, sizeof label))
        return error_set(err, ENAMETOOLONG, "selinux", "label");
    if (check(s, r, &own, hostname, err) < 0) return -1;
    if (make_namespaces(s, r, &own, err) < 0 || (s->netns_path[0] && pin_network(s, err) < 0)) {
        s->netns_path[0] = 0;
        sandbox_unmake(s);
        return -1;
    }
    bool done = hostname[0] == 0 || sethostname(hostname, strlen(hostname)) == 0 ||
                error_set(err, errno, "hostname", "hostname %s", hostname) == 0;
    done = done && (!own.network || loopback_up(err) == 0);
    if (done) {
        s->env.empty_mntns = build_pod_mntns(SHM_BYTES, s->env.userns < 0 ? NULL : &s->env.map, label, err);
        done = s->env.empty_mntns >= 0 &&
               (!request_u8(r, FIELD_SANDBOX_SHARED_PID) || start_init(s, &(struct plan){0}, err) == 0);
    }
    s->ready = done;
    s->own = own;
    if (!done) sandbox_unmake(s);
    return done ? 0 : -1;
}

/* With the init the kernel ends whatever is left in its namespace, and only then the init is dead. */
static void end_init(struct sandbox *s) {
    int pidfd = s->init.pid > 0 ? (int)syscall(NR_pidfd_open, s->init.pid, 0) : -1;
    if (pidfd < 0) return;
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    kill(s->init.pid, SIGKILL);
    while (poll(&wait, 1, INIT_END_MS) < 0 && errno == EINTR) {
    }
    close(pidfd);
}

void sandbox_unmake(struct sandbox *s) {
    end_init(s);
    if (s->init_lifeline >= 0) close(s->init_lifeline);
    if (s->env.pod_pidns >= 0) close(s->env.pod_pidns);
    if (s->env.empty_mntns >= 0) close(s->env.empty_mntns);
    if (s->env.userns >= 0) close(s->env.userns);
    s->init_lifeline = s->env.pod_pidns = s->env.empty_mntns = s->env.userns = -1;
    unpin_network(s);
}
