/* What the supervisor lends to a builder; all of it is inherited by fork, and nothing survives execve. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* IDs 0 … length-1 of a user namespace are those from `uid` and `gid` on outside of it. */
struct id_map {
    uint32_t uid, gid, length;
};

/* Of the pod. */
struct build_env {
    int empty_mntns; /* a mount namespace that holds one empty read-only tmpfs and nothing of the host */
    int null_fd;     /* host /dev/null, proven to be character device 1:3 */
    int pod_pidns;   /* PID namespace of the pod, or -1 when the pod shares none */
    int userns;      /* user namespace of the pod, or -1 for the host's */
    struct id_map map;
};

/* Of one process. */
struct build_io {
    int stdio[3]; /* stdin, stdout, stderr of the process; ignored for a terminal */
    int sync;     /* the builder's end of the sync socket */
    bool terminal;
};
