/* Mounts, by descriptor only: the source is opened once, flags and propagation are set while it is detached, and it is attached to a
 * descriptor of its target (CVE-2021-30465, CVE-2026-115521). */
#pragma once
#include "build/builder.h"

/* In the host's mount namespace: a detached clone of every bind source, and what a mount of type cgroup or shm is made of. */
int mount_open_sources(struct builder *b);

/* Outside the host's mount namespace: the procfs of a PID namespace that the builder is not in. */
int mount_open_proc(struct builder *b);

/* In the container's own mount namespace, before the pivot hides the pod's tmpfs. */
int mount_open_shm(struct builder *b);

/* Below the container's root: every mount operation in plan order. */
int mount_apply_all(struct builder *b);

/* Is /proc still the procfs that was mounted there? */
int mount_verify_proc(struct builder *b);

/* Shows what a detached mount holds with the owners it has in the pod's user namespace. */
int mount_idmap(struct builder *b, int fd, const char *step, const char *object);

/* Whether owners can be mapped in the file system of `directory`; a probe. */
int mount_can_idmap(int userns, const char *directory, struct error *err);

/* Gives options, "key=value" or "key", to a file system under construction. */
int mount_options(int fs, const struct plan_strings *options);

/* A detached mount of `type`; options are "key=value" or "key". An fd, or -1 with errno. */
int mount_new(const char *type, const struct plan_strings *options, int pid_ns, unsigned flags);

/* An attached read-only clone of `source` over the object `target`. */
int mount_over(int source, int target, unsigned set_flags, unsigned recursive);
