/* Programs that are run while a container is made (OCI runtime specification, "POSIX-platform Hooks"). Those of the runtime's namespaces
 * are the daemon's to run, while the builder waits; those of the container's are run here. */
#pragma once
#include "build/builder.h"

/* Before any other process is made: what hooks will read. */
int hooks_begin(struct builder *b);

/* With the host in sight: a copy of its tree is taken, and each createContainer hook must be there, while nothing of the container is. */
int hooks_open(struct builder *b);

/* In the container's namespaces, its tree being complete: the host's tree is the root once more, with the container's at `rootfs` of the
 * bundle. What hooks mount in there stays; no path to the host does. */
int hooks_before_pivot(struct builder *b);

/* As the container's process, in the moment before it becomes the program. */
int hooks_before_exec(struct builder *b);
