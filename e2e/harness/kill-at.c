/* kill-at spawner|supervisor PID N: kills a supervisor as it enters its N-th system call: the next that PID forks, counted from its first
 * breath as one, or PID itself, counted from now. Says "ready" when it watches, and "killed" if it comes to that before it is asked to end
 * (SIGTERM). */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define NAME "jangada-pod"
#define WATCHED (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC)

static volatile sig_atomic_t asked;

static void on_signal(int signal) {
    (void)signal;
    asked = 1;
}

static bool is_supervisor(pid_t pid) {
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    bool named = fgets(name, sizeof name, file) && strcmp(name, NAME "\n") == 0;
    fclose(file);
    return named;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* And does not come back from one. */
static bool enters_call(pid_t pid) {
    struct __ptrace_syscall_info info;
    return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    bool of_spawner = strcmp(argv[1], "spawner") == 0;
    pid_t target = atoi(argv[2]);
    int wanted = atoi(argv[3]), count = 0, status;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    if (ptrace(PTRACE_SEIZE, target, NULL, WATCHED | (of_spawner ? PTRACE_O_TRACEFORK : 0)) < 0) die("seize");
    if (!of_spawner && ptrace(PTRACE_INTERRUPT, target, NULL, NULL) < 0) die("interrupt");
    puts("ready");
    fflush(stdout);
    while (!asked) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0 && errno == EINTR) continue;
        if (pid < 0) break;
        if (!WIFSTOPPED(status)) continue;
        int event = status >> 16, signal = WSTOPSIG(status);
        bool candidate = pid != target || !of_spawner;
        if (event == PTRACE_EVENT_EXEC) { /* a program of the host: none of ours */
            ptrace(PTRACE_DETACH, pid, NULL, NULL);
            continue;
        }
        if (candidate && event == PTRACE_EVENT_STOP && signal == SIGTRAP)
            ptrace(PTRACE_SETOPTIONS, pid, NULL, WATCHED); /* its children are not our business */
        if (candidate && signal == (SIGTRAP | 0x80) && enters_call(pid) && is_supervisor(pid) && ++count == wanted) {
            kill(pid, SIGKILL);
            puts("killed");
            return 0;
        }
        bool own = event == 0 && signal != (SIGTRAP | 0x80) && signal != SIGTRAP;
        ptrace(candidate ? PTRACE_SYSCALL : PTRACE_CONT, pid, NULL, own ? (void *)(long)signal : NULL);
    }
    return 0;
}
