#include "base/allow_list.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "base/kernel.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "no filter for this architecture"
#endif

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define IF_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)

/* Calls of another architecture than this program's end it, too; those of x32 have other numbers. */
int allow_list_load(const int *calls, unsigned count) {
    struct sock_filter program[ALLOW_LIST_MAX + 5] = {LOAD(arch), IF_EQUAL(ARCH, 0, (uint8_t)(count + 1)), LOAD(nr)};
    struct sock_fprog all = {(unsigned short)(count + 5), program};
    if (count > ALLOW_LIST_MAX) {
        errno = EINVAL;
        return -1;
    }
    for (unsigned i = 0; i < count; i++)
        program[3 + i] = (struct sock_filter)IF_EQUAL((uint32_t)calls[i], (uint8_t)(count - i), 0);
    program[3 + count] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
    program[4 + count] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all) == 0) return 0;
    return errno == ENOSYS || errno == EINVAL ? 0 : -1;
}
