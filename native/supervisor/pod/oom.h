/* Whether the kernel's OOM killer took a process of a container. The container's own counter says so (memory.events), unless systemd was
 * faster: it removes a scope as soon as that is empty. But counters of v2 are hierarchical. The parent's has counted the kill as well,
 * and what it has counted since the container began, and no other container of the pod accounts for, was this container's. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct container;

struct oom {
    uint64_t known;             /* kills last read from the container's own counter */
    uint64_t limit;             /* of its memory, as the kernel has it; 0: none, or not known */
    uint64_t parent, explained; /* at the beginning: the parent's counter, and what the others accounted for */
};

void oom_begin(struct container *c);
bool oom_end(struct container *c);
