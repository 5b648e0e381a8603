/* The root file system: an overlay that exists in the container's own mount namespace only. */
#pragma once
#include "build/builder.h"

/* In the host's mount namespace: b->rootfs becomes the overlay, detached. With a user namespace only what it is made of is opened. */
int rootfs_open(struct builder *b);

/* In an own mount namespace: with a user namespace b->rootfs becomes the overlay here, of layers whose owners are mapped. */
int rootfs_assemble(struct builder *b);

/* In an own mount namespace whose root holds an empty directory /root: the overlay becomes "/", nothing else is left. */
int rootfs_pivot(struct builder *b);

/* After everything below it is in place: propagation, and read-only when the plan says so. */
int rootfs_seal(struct builder *b);
