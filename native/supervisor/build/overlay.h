/* Overlay file systems, detached. */
#pragma once
#include <stddef.h>

#include "plan/plan.h"

/* What it is made of. Directories are found by their names or, in an empty mount namespace, by what is left of them. */
struct overlay {
    const struct plan_strings *lower; /* from the topmost down; at least two without an upper directory */
    size_t skip;              /* of the names of lower directories, which are then relative to the working directory */
    const char *upper, *work; /* NULL: read-only */
    const char *label;        /* SELinux label of everything in it; NULL: none */
    int descriptors;          /* in an empty mount namespace: /proc/self/fd of the host's; else -1 */
};

/* A detached mount with these attributes (MOUNT_ATTR_*), or -1 with errno; *object: what it failed at. */
int overlay_open(const struct overlay *o, unsigned attributes, const char **object);

/* The same for kernels before 6.5, which have no "lowerdir+". */
int overlay_open_by_list(const struct overlay *o, unsigned attributes);
