/* The mount namespace that every container's own one is a copy of: an empty read-only tmpfs with the place for a root and the pod's
 * shared memory. Nothing of the host has ever been in it. */
#pragma once
#include <stdint.h>

#include "base/error.h"
#include "build/env.h"

#define LABEL_MAX 255u /* of SELinux, where one is kept or made an option */

/* Makes it and returns its descriptor, or -1 with *err. `shm_bytes`: size of the pod's /dev/shm, which belongs to the root of `map` (NULL:
 * the host's). The caller must be single-threaded. */
int build_pod_mntns(uint64_t shm_bytes, const struct id_map *map, const char *label, struct error *err);
