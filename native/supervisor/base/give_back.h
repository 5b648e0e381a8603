/* Memory of static arrays that begin a page. */
#pragma once
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#define GIVE_BACK_PAGE 4096u

/* Gives their whole pages back to the kernel; all of it reads as zeros. What shares the last page is somebody else's. */
static inline void give_back(void *start, size_t size) {
    size_t whole = size & ~(size_t)(GIVE_BACK_PAGE - 1);
    madvise(start, whole, MADV_DONTNEED);
    memset((char *)start + whole, 0, size - whole);
}
