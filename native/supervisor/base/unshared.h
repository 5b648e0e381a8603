/* Memory that no child gets a copy of. A builder is a fork of the supervisor, and may be looked into by the container that it builds a process
 * for: what belongs to others, logs, environments, names, is not in it. */
#pragma once
#include <stddef.h>

#define UNSHARED __attribute__((aligned(4096)))

/* From now on children read zeros there. `start` begins a page, and `size` is whole pages: what lies behind is somebody else's. */
void unshare_pages(void *start, size_t size);

#define UNSHARE_ARRAY(array)                                                               \
    do {                                                                                   \
        _Static_assert(sizeof(array) % 4096 == 0, "its last page is shared with another"); \
        unshare_pages(array, sizeof(array));                                               \
    } while (0)

/* In a child: what earlier calls of its parent have left on the stack below the caller is gone. */
void unshare_stack(void);
