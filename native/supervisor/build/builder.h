/* The child that carries a plan out: what the steps of a recipe share, and nothing of the supervisor. */
#pragma once
#include "build/build.h"
#include "plan/plan.h"

struct builder {
    struct plan *plan;          /* of the container, or of the further process */
    struct plan_op *namespaces; /* of the container in both cases */
    const struct build_env *env;
    const struct build_io *io;
    int sync;
    int pid_ns;                       /* the PID namespace to join by clone, or -1 */
    pid_t first;                      /* waits to become the container's first process; 0: nobody does */
    int first_socket, own_namespaces; /* with first */
    int layers, upper, descriptors;   /* with a user namespace: what the overlay is made of, detached; /proc/self/fd */
    int lsm_proc;                     /* private procfs to set labels through, -1 without labels */
    int rootfs, root;                 /* the overlay, detached; "/" of the container once pivoted */
    int dev, devpts, proc;            /* our own mounts on /dev, /dev/pts and /proc */
    int null_file, empty_dir;         /* attached sources to mask with, -1 until first needed */
    int null_tree;                    /* detached read-only clone of the host's proven null, when the plan makes none */
    int console;                      /* master of the pty */
    int host, hook_state;             /* for hooks: detached copy of the host's tree; what they read, -1 without */
    struct error err;
};

/* With nothing open. */
struct builder builder_fresh(struct plan *plan, const struct build_env *env, const struct build_io *io);

/* The plan and the request ask for a terminal both, or neither does. */
int builder_check_terminal(const struct plan *plan, const struct build_io *io, struct error *err);

/* Clones the builder, as fork does: 0 in it, 1 in the supervisor, or -1 with *err. It is born in the v2 cgroup of `container` and, with
 * `own_pid`, in a PID namespace of its own. `beside`: a pidfd of the container's first process, or -1 for that process itself. */
int builder_start(const struct plan *container, int beside, bool own_pid, struct build_process *out, struct error *err);

/* OOM score adjustment of this process, which what it starts inherits. */
int builder_oom_score(struct builder *b);
