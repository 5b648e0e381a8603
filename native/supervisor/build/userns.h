/* The pod's user namespace: it owns the pod's network, IPC, UTS and PID namespaces and the mount namespace of every container.
 *
 * A container's tree is put together outside of it, by a builder that is root of the host but makes files as the pod's root does. Only
 * then the builder goes in and takes a copy of the mounts along: crossing the border, the kernel locks them together, so that no
 * container, whatever its capabilities, can lift a mask, a read-only flag or a mount of its own (mount_namespaces(7)). */
#pragma once
#include <sched.h>

#include "build/builder.h"

/* Runs as the root of new namespaces, before anybody else is in them. */
typedef int userns_inside(void *arg, struct error *err);

/* Makes a user namespace with this map and the namespaces `flags` (CLONE_NEW*) owned by it, calls `inside` in them, and moves the caller
 * into all of them but the user namespace. Descriptor of the user namespace, or -1 with *err. */
int userns_make(const struct id_map *map, int flags, userns_inside *inside, void *arg, struct error *err);

/* Starts the first process of a new PID namespace owned by `userns`, with all capabilities there, no identity yet, and nothing in sight but
 * the mount namespace `mntns`. It is a child of the caller or, with `sibling`, of the caller's parent. Returns twice, as fork does. */
pid_t userns_first_process(int userns, int mntns, bool sibling);

/* What the host calls this ID of the pod; without a user namespace the same. */
uint32_t userns_uid(const struct build_env *env, uint32_t uid);
uint32_t userns_gid(const struct build_env *env, uint32_t gid);

/* From here on files are made as the pod's root makes them; nothing else changes. */
int userns_own_files(struct builder *b);

/* Into the user namespace, as its root; `flags`: namespaces to take copies of along (CLONE_NEW*). */
int userns_enter(struct builder *b, int flags);

/* In a process of the user namespace: becomes its root. */
int userns_become_root(struct error *err);
