#include "build/seccomp.h"

#include <errno.h>
#include <stdalign.h>

#include "base/error.h"
#include "base/kernel.h"

/* struct sock_filter and struct sock_fprog of linux/filter.h. */
struct instruction {
    uint16_t code;
    uint8_t jt, jf;
    uint32_t k;
};

struct program {
    uint16_t len;
    const void *filter;
};

#define SET_MODE_FILTER 1u

int seccomp_load(const struct plan_op *op, struct error *err) {
    /* The kernel copies the program byte by byte: that it may lie unaligned in the plan is no matter. */
    struct program program = {(uint16_t)(op->seccomp.filter.len / sizeof(struct instruction)), op->seccomp.filter.data};
    if (syscall(SYS_seccomp, SET_MODE_FILTER, op->seccomp.flags, &program) < 0)
        return error_fail(err, errno, "seccomp", "filter", "seccomp profile");
    return 0;
}
