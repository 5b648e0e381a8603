/* Building a container (or a process in one) from a plan: the seam between the supervisor's event loop and the code that touches the
 * kernel. The loop decides when; this code knows how. See native/README.md for the handshake drawn once. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire.h"

/* What a builder tells its supervisor over the sync socket (SOCK_SEQPACKET, fixed size, one allowed order; CVE-2026-41163):
 *
 *   builder  → PAYLOAD pid     only when the process had to be cloned into an existing PID namespace
 *   builder  → CONSOLE (+fd)   only with a terminal: the pty's master
 *   builder  → READY           everything of the plan is done but the last step; create only
 *   builder  ← GO              one byte; create only
 *   builder  → FAILED          at any point instead of the above; the process then exits
 *   builder  : EOF             execve succeeded (the socket is close-on-exec)                                                     */
enum build_message_type { BUILD_PAYLOAD = 1, BUILD_CONSOLE, BUILD_READY, BUILD_FAILED };

struct build_message {
    uint32_t type;
    int32_t pid;      /* BUILD_PAYLOAD: pid in the supervisor's PID namespace */
    int32_t error;    /* BUILD_FAILED: errno */
    char step[32];    /* BUILD_FAILED: name of the plan operation, e.g. "mount" */
    char detail[216]; /* BUILD_FAILED: what failed, with the object: "open /srv/data" */
};

#define LABEL_MAX 255u /* of SELinux, where one is kept or made an option */

/* IDs 0 … length-1 of a user namespace are those from `uid` and `gid` on outside of it. */
struct id_map {
    uint32_t uid, gid, length;
};

/* What the supervisor lends to a builder; all are inherited by fork and none survive execve. */
struct build_env {
    int empty_mntns; /* a mount namespace that holds one empty read-only tmpfs and nothing of the host */
    int null_fd;     /* host /dev/null, proven to be character device 1:3 */
    int pod_pidns;   /* PID namespace of the pod, or -1 when the pod shares none */
    int userns;      /* user namespace of the pod, or -1 for the host's */
    struct id_map map;
};

struct build_io {
    int stdio[3]; /* stdin, stdout, stderr of the process; ignored for a terminal */
    int sync;     /* the builder's end of the sync socket */
    bool terminal;
};

/* A process under construction. */
struct build_process {
    pid_t
        builder; /* direct child doing the work; the process itself unless a BUILD_PAYLOAD message names another pid */
    int pidfd;   /* of `builder` */
};

/* An error that happened in the caller's process. */
struct build_error {
    int error;
    char step[32];
    char detail[216];
};

/* Checks every operation of a container's plan (known, in order, complete, well-formed) without carrying any of it out.
 * `target_pidfd` is the init process of the container whose PID namespace is to be joined (plan says TARGET), else -1.
 * Starts a child that carries the plan out. 0 or -1 with *err. Makes cgroups and writes limits before it forks; on failure after that
 * the caller removes them with build_cgroup_remove. */
int build_container(const struct wire_bytes *plan, const struct build_env *env, const struct build_io *io,
                    int target_pidfd, struct build_process *out, struct build_error *err);

/* Starts a further process in a running container. `init_pidfd` is the container's first process, `container_plan` the plan it was
 * built from (cgroups), `exec_plan` has the operations CREDENTIALS…EXEC of the new process. */
int build_exec(const struct wire_bytes *container_plan, const struct wire_bytes *exec_plan, const struct build_env *env,
               const struct build_io *io, int init_pidfd, struct build_process *out, struct build_error *err);

/* True when /proc/<pid>/status shows exactly the ids, groups, capability sets, no_new_privs and seccomp mode of the plan, of which only
 * the credentials are looked at; `filtered`: it has a seccomp operation. Called by the supervisor after READY and before GO: a process that differs in anything is never released. */
bool build_verify(const struct wire_bytes *plan, const struct build_env *env, bool filtered, pid_t pid,
                  struct build_error *err);

/* cgroup questions the supervisor asks about a container. */
struct build_cgroup_report {
    uint64_t oom_kills;    /* v2 memory.events oom_kill; v1 memory.oom_control oom_kill */
    uint64_t parent_kills; /* the same of the parent, for a scope */
    bool own, scope;       /* the first could be read; systemd made the cgroup, and may have removed it */
};
void build_cgroup_report(const struct wire_bytes *plan, struct build_cgroup_report *out);

/* SIGKILLs everything in the container's cgroup (v2 cgroup.kill; v1 every pid of cgroup.procs until none is left, bounded). */
void build_cgroup_kill(const struct wire_bytes *plan);

/* Lets a container that somebody has frozen run again. */
void build_cgroup_thaw(const struct wire_bytes *plan);

/* Removes the container's cgroup directories; 0 when they are gone, -1 while the kernel still holds one (EBUSY). A scope is systemd's to
 * remove: 0 as soon as nothing is in it. */
int build_cgroup_remove(const struct wire_bytes *plan);

/* Carries out the CGROUP_WRITE operations of `ops` (an update of resources): all or none are validated first; on a failed write the
 * earlier ones are put back. */
int build_cgroup_update(const struct wire_bytes *ops, struct build_error *err);
