#include "base/unshared.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "base/kernel.h"

#define PAGE 4096u
#define DEPTH (256u << 10) /* deeper the supervisor's calls do not go */

/* madvise(2), MADV_WIPEONFORK: Linux 4.14. */
void unshare_pages(void *start, size_t size) { madvise(start, size, MADV_WIPEONFORK); }

/* Below the frames that this call itself needs; ENOMEM where the stack has never been that deep. */
static __attribute__((noinline)) void drop_pages(void) {
    uintptr_t end = ((uintptr_t)__builtin_frame_address(0) - PAGE) & ~(uintptr_t)(PAGE - 1);
    syscall(SYS_madvise, end - DEPTH, DEPTH, MADV_DONTNEED);
}

static __attribute__((noinline)) void clear_rest(void) {
    char rest[2 * PAGE];
    explicit_bzero(rest, sizeof rest);
}

void unshare_stack(void) {
    drop_pages();
    clear_rest();
}
