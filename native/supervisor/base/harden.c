#include "base/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/keyring.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

_Noreturn static void die(const char *what) {
    fprintf(stderr, "jangada-pod: %s: %s\n", strerror(errno), what);
    exit(1);
}

static int sealed_copy(int program) {
    struct stat st;
    int copy = memfd_create("jangada-pod", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (copy < 0 && errno == EINVAL) /* before Linux 6.3 every memfd may be executed */
        copy = memfd_create("jangada-pod", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (copy < 0 || fstat(program, &st) < 0) return -1;
    for (off_t left = st.st_size; left > 0;) {
        ssize_t n = sendfile(copy, program, NULL, (size_t)left);
        if (n <= 0) return -1;
        left -= n;
    }
    return fchmod(copy, 0500) == 0 && fcntl(copy, F_ADD_SEALS, SEALS) == 0 ? copy : -1;
}

void harden_seal_program(char *const argv[]) {
    static char *const no_environment[] = {NULL};
    int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (program < 0) die("open /proc/self/exe");
    int seals = fcntl(program, F_GET_SEALS);
    if (seals >= 0 && (seals & SEALS) == SEALS) {
        close(program);
        return;
    }
    int copy = sealed_copy(program);
    if (copy < 0) die("sealed copy of the program");
    /* Without the path of the host: a pod's init is seen by its containers. */
    char *const plain[] = {(char[]){"jangada-pod"}, argv[1], NULL};
    fexecve(copy, plain, no_environment);
    die("execute the sealed copy of the program");
}

static char *title;
static size_t title_size;

void harden_remember_title(char **argv) {
    char *end = title = argv[0];
    /* The kernel puts one behind the other. */
    for (; *argv == end; argv++) end += strlen(*argv) + 1;
    title_size = (size_t)(end - 1 - title);
}

void harden_set_title(const char *text) {
    prctl(PR_SET_NAME, text);
    if (title) strncpy(title, text, title_size);
}

static void on_signal(int signal) { (void)signal; }

void harden_process(void) {
    static const int harmless[] = {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Handlers that do nothing rather than SIG_IGN: execve resets them, and a container starts with default signals. */
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) sigaction(harmless[i], &action, NULL);
    umask(022);
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || chdir("/") < 0)
        die("prepare the process");
    struct error ignored;
    keyring_join_new(&ignored);
    setsid(); /* fails for a process that leads a group already, which is as good */
}

int harden_open_null(void) {
    struct stat st;
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
    if (fd < 0) return -1;
    if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == 1 && minor(st.st_rdev) == 3) return fd;
    close(fd);
    errno = ENODEV;
    return -1;
}

int harden_oom_score(void) {
    static const char *const wishes[] = {"-1000", "-999", "0"};
    char before[16] = "0";
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    if (fd < 0) return 0;
    if (read(fd, before, sizeof before - 1) < 0) before[0] = 0;
    /* Without CAP_SYS_RESOURCE a process may not go below what it was given: then it stays there. */
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++)
        if (atoi(before) <= atoi(wishes[i]) || pwrite(fd, wishes[i], strlen(wishes[i]), 0) > 0) break;
    close(fd);
    return atoi(before);
}

void harden_small_pages(void *start, size_t size) {
    madvise(start, size, MADV_NOHUGEPAGE); /* EINVAL: a kernel without any */
}

void harden_small_static_pages(void) {
    extern char __bss_start[], _end[]; /* ld(1) */
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = ((uintptr_t)__bss_start + page - 1) & ~(page - 1);
    harden_small_pages((void *)start, (uintptr_t)_end - start);
}
