#include "filter.h"

#include <cstddef>
#include <cstdint>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <span>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include "failure.h"

namespace {

#if defined(__x86_64__)
constexpr uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
#error "no system call filter for this architecture"
#endif

// What malloc, the threads, stdio and abort(3) of glibc need, besides reading and writing.
constexpr uint32_t always[] = {
    SYS_read,
    SYS_write,
    SYS_close,
    SYS_fstat,
    SYS_newfstatat,
    SYS_futex,
    SYS_munmap,
    SYS_mremap,
    SYS_brk,
    SYS_madvise,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_tgkill,
    SYS_getpid,
    SYS_gettid,
    SYS_exit,
    SYS_exit_group,
    SYS_rseq,
    SYS_set_robust_list,
    SYS_sched_getaffinity,
    SYS_sched_yield,
    SYS_clock_gettime,
    SYS_getrandom,
    SYS_restart_syscall,
};
constexpr uint32_t of_layer[] = {
    SYS_openat, SYS_openat2,   SYS_fcntl,     SYS_lseek,    SYS_getdents64, SYS_mkdirat,   SYS_mknodat, SYS_symlinkat,
    SYS_linkat, SYS_unlinkat,  SYS_renameat2, SYS_fchownat, SYS_fchown,     SYS_fchmodat,  SYS_fchmod,  SYS_utimensat,
    SYS_fchdir, SYS_fsetxattr, SYS_lsetxattr, SYS_syncfs,   SYS_readlinkat, SYS_ftruncate,
};
constexpr uint32_t of_identity[] = {SYS_openat2};
constexpr uint32_t of_remove[] = {SYS_openat,     SYS_openat2,  SYS_fcntl,    SYS_lseek,
                                  SYS_getdents64, SYS_unlinkat, SYS_renameat2};
constexpr uint32_t of_usage[] = {SYS_openat, SYS_openat2, SYS_fcntl, SYS_lseek, SYS_getdents64};

constexpr uint32_t of_seam[] = {
    SYS_openat, SYS_openat2, SYS_fcntl,     SYS_lseek,      SYS_getdents64, SYS_readlinkat, SYS_mkdirat,
    SYS_fchown, SYS_fchmod,  SYS_fsetxattr, SYS_flistxattr, SYS_fgetxattr,  SYS_utimensat,  SYS_unlinkat,
};

std::span<const uint32_t> calls_of(Role role) {
    switch (role) {
    case Role::layer:
        return of_layer;
    case Role::identity:
        return of_identity;
    case Role::remove:
        return of_remove;
    case Role::seam:
        return of_seam;
    case Role::plain:
        return {};
    default:
        return of_usage;
    }
}

class Program {
public:
    Program() {
        load(offsetof(seccomp_data, arch));
        code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture, 1, 0));
        answer(SECCOMP_RET_KILL_PROCESS);
        load(offsetof(seccomp_data, nr));
    }
    void on(uint32_t call, uint32_t result) {
        code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
        answer(result);
    }
    // mmap and mprotect: memory, but none to run.
    void unless_executable(uint32_t call) {
        code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4));
        load(offsetof(seccomp_data, args[2])); // the low half: both architectures are little-endian
        code_.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1));
        answer(SECCOMP_RET_KILL_PROCESS);
        answer(SECCOMP_RET_ALLOW);
    }
    void answer(uint32_t result) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, result)); }
    void install() {
        const sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
            local_failure(errno, "system call filter of the unpacker");
    }

private:
    void load(size_t offset) { code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset))); }
    std::vector<sock_filter> code_;
};

} // namespace

void filter_system_calls(Role role) {
    Program program;
    for (uint32_t call : always) program.on(call, SECCOMP_RET_ALLOW);
    for (uint32_t call : calls_of(role)) program.on(call, SECCOMP_RET_ALLOW);
    program.unless_executable(SYS_mmap);
    program.unless_executable(SYS_mprotect);
    program.on(SYS_ioctl, SECCOMP_RET_ERRNO | ENOTTY); // stdio asks whether it writes to a terminal
    program.answer(SECCOMP_RET_KILL_PROCESS);
    program.install();
}
