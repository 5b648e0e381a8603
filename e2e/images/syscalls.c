/* Tries what a default container must not be able to do and prints "name errno-name", "name ok" when the kernel let it pass.
 * Arguments are chosen so that nothing happens when the call is allowed. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *name_of(int error) {
    switch (error) {
    case 0:
        return "ok";
    case EPERM:
        return "EPERM";
    case ENOSYS:
        return "ENOSYS";
    case EINVAL:
        return "EINVAL";
    case EFAULT:
        return "EFAULT";
    case EAFNOSUPPORT:
        return "EAFNOSUPPORT";
    case EPROTONOSUPPORT:
        return "EPROTONOSUPPORT";
    case ESOCKTNOSUPPORT:
        return "ESOCKTNOSUPPORT";
    case EACCES:
        return "EACCES";
    case ENODEV:
        return "ENODEV";
    case EBADF:
        return "EBADF";
    default:
        return strerror(error);
    }
}

static void tell(const char *name, long result) { printf("%s %s\n", name, name_of(result < 0 ? errno : 0)); }

/* In a child of its own: an unshare that succeeds must not change what the next call sees. */
static void try_unshare(const char *name, int flags) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        tell(name, unshare(flags));
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

int main(void) {
    tell("socket-alg", socket(38, SOCK_SEQPACKET, 0));
    tell("socket-vsock", socket(40, SOCK_STREAM, 0));
    tell("socket-rds", socket(21, SOCK_SEQPACKET, 0));
    tell("socket-inet", socket(AF_INET, SOCK_STREAM, 0));
    tell("socket-unix", socket(AF_UNIX, SOCK_STREAM, 0));
    tell("clone3", syscall(SYS_clone3, NULL, 0));
    tell("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
    tell("add_key", syscall(SYS_add_key, NULL, NULL, NULL, 0, 0));
    tell("bpf", syscall(SYS_bpf, 0, NULL, 0));
    tell("io_uring_setup", syscall(SYS_io_uring_setup, 0, NULL));
    tell("userfaultfd", syscall(SYS_userfaultfd, 0));
    tell("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
    tell("fsopen", syscall(SYS_fsopen, NULL, 0));
    tell("mount", syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
    tell("pidfd_getfd", syscall(SYS_pidfd_getfd, -1, 0, 0));
    tell("open_by_handle_at", syscall(SYS_open_by_handle_at, -1, NULL, 0));
    tell("init_module", syscall(SYS_init_module, NULL, 0, NULL));
    tell("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
    tell("settimeofday", syscall(SYS_settimeofday, NULL, NULL));
    try_unshare("unshare-user", CLONE_NEWUSER);
    try_unshare("unshare-net", CLONE_NEWNET);
    try_unshare("unshare-mount", CLONE_NEWNS);
    return 0;
}
