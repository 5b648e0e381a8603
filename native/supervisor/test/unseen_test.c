/* What a container that may trace sees of us: every process is looked at before its first instruction in a PID namespace that others are in,
 * its filter by /proc/<pid>/status, its memory by /proc/<pid>/mem. */
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "base/unshared.h"
#include "plan/kept_plan.h"
#include "pod/container.h"
#include "pod/log.h"
#include "pod/pod_init.h"
#include "test/fixture.h"

#define PATIENCE_S 120
#define MAPPING_MAX (64ul << 20) /* the sanitizers' own are larger */
#define SECRETS 5

/* Other containers', kept rotated by one, so that the program itself does not have them. */
static char rotated[SECRETS][16] = {"TFDSFUMPH", "TFDSFUFOW", "TFDSFULFQU", "TFDSFUTUBDL", "TFDSFUUBJM"};
static const char *const names[SECRETS] = {"log", "environment", "kept plan", "stack", "unfinished line"};
static char *layer;

static void spell(char *out, int which) {
    for (char *from = rotated[which]; (*out = *from ? (char)(*from - 1) : 0); from++) out++;
}

/* ---- the supervisor ---- */

static void leave_in_log(void) {
    static uint8_t tail[LOG_LINE_MAX] UNSHARED;
    struct log_file log = {.fd = open("/dev/null", O_WRONLY | O_CLOEXEC)};
    struct log_stream stream = {.name = "stdout", .tail = tail};
    const uint8_t *text;
    char line[16];
    int ends[2];
    UNSHARE_ARRAY(tail);
    if (pipe2(ends, O_CLOEXEC) < 0) _exit(2);
    for (int which = 0; which < SECRETS; which += 4) {
        spell(line, which);
        if (which == 0) strcat(line, "\n");
        if (write(ends[1], line, strlen(line)) < 0 || log_copy(&log, &stream, ends[0], 4096, &text) < 0) _exit(2);
    }
    explicit_bzero(line, sizeof line);
}

/* A plan of another container, decoded, partly kept, forgotten. */
static void leave_in_plans(void) {
    static struct draft draft, process;
    char environment[16], id[16], path[32];
    struct wire_bytes bytes, kept;
    struct plan plan;
    struct error err;
    spell(environment, 1);
    spell(id, 2);
    snprintf(path, sizeof path, "/none/%s", id);
    struct wish w = {.cgroup = {path}, .cwd = "/"}, exec = {.script = environment};
    draft_container(&draft, layer, "other", &w);
    draft_exec(&process, &exec);
    bytes = bytes_of(&draft);
    if (kept_plan_live(&bytes, &kept) < 0) _exit(2);
    bytes = bytes_of(&process);
    if (plan_decode(&bytes, PLAN_OF_PROCESS, &plan, &err) < 0) _exit(2);
    plan_free(&plan);
    explicit_bzero(&draft, sizeof draft);
    explicit_bzero(&process, sizeof process);
    explicit_bzero(environment, sizeof environment);
    explicit_bzero(id, sizeof id);
    explicit_bzero(path, sizeof path);
}

/* Below the frames of what is called next. */
static __attribute__((noinline)) void leave_on_stack(void) {
    volatile char deep[96 << 10];
    for (size_t i = 0; i + 16 < sizeof deep / 2; i += 64) {
        char word[16];
        spell(word, 3);
        for (int j = 0; j < 16; j++) deep[i + (size_t)j] = word[j];
    }
}

static _Noreturn void supervise(void) {
    static struct run c, beside, r;
    static struct draft container, process;
    struct identity id = {.bounding = CAPS_DEFAULT, .group_count = 1, .no_new_privileges = 1};
    struct wish first = {.script = "sleep 100", .identity = &id, .seccomp = true},
                again = {.script = "true", .identity = &id, .seccomp = true};
    struct wish with = first;
    struct container_host host = {0};
    struct error err;
    int lifeline;
    container_init(&host);
    leave_in_log();
    leave_in_plans();
    draft_container(&container, layer, "unseen", &first);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    if (!create(&c, &container, -1) || !release(&c)) _exit(3);
    /* Another one in a namespace that they share with the pod's init. */
    with.pid = PLAN_PID_MODE_POD;
    if (pod_init_start(&fixture_env, &(struct plan){0}, &lifeline, &fixture_env.pod_pidns, &err) < 0) _exit(5);
    draft_container(&process, layer, "beside", &with);
    if (!create(&beside, &process, -1) || !release(&beside)) _exit(6);
    kill(beside.pid, SIGKILL);
    finish(&beside);
    draft_exec(&process, &again);
    int pidfd = (int)syscall(434 /* pidfd_open */, c.pid, 0);
    leave_on_stack();
    bool good = exec_in(&r, &container, &process, pidfd, false);
    finish(&r);
    kill(c.pid, SIGKILL);
    finish(&c);
    close(lifeline);
    _exit(good && r.status == 0 ? 0 : 4);
}

/* ---- who looks ---- */

static unsigned seen, unfiltered, found[SECRETS];

static void search(pid_t pid) {
    char path[32], line[512], word[16];
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int mem = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx r", &from, &to) != 2 || to - from > MAPPING_MAX) continue;
        char *copy = mmap(NULL, to - from, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ssize_t n = copy == MAP_FAILED ? -1 : pread(mem, copy, to - from, (off_t)from);
        for (int which = 0; which < SECRETS && n > 0; which++) {
            spell(word, which);
            found[which] += memmem(copy, (size_t)n, word, strlen(word)) != NULL;
        }
        if (copy != MAP_FAILED) munmap(copy, to - from);
    }
    if (maps) fclose(maps);
    close(mem);
}

/* Only what is in a PID namespace below ours, and not the first there, has company. */
static void look_at(pid_t pid) {
    char path[32];
    unsigned outside, inside = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    char *status = get_file(path), *at_pids = strstr(status, "\nNSpid:");
    if (!at_pids || sscanf(at_pids, "\nNSpid: %u %u", &outside, &inside) != 2 || inside < 2) return;
    seen++;
    unfiltered += strstr(status, "\nSeccomp:\t2") == NULL;
    search(pid);
}

static int follow(pid_t root) {
    static bool known[1 << 22];
    int status, result = -1;
    pid_t pid;
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        if (!WIFSTOPPED(status)) {
            if (pid == root) result = status;
            continue;
        }
        int signal = WSTOPSIG(status);
        bool first = !known[pid];
        known[pid] = true;
        if (first && pid == root)
            ptrace(PTRACE_SETOPTIONS, pid, NULL,
                   PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                       PTRACE_O_TRACEEXEC);
        else if (first)
            look_at(pid);
        ptrace(PTRACE_CONT, pid, NULL, first || signal == SIGTRAP ? 0 : signal);
    }
    return result;
}

/* ---- the pod's init ---- */

static bool may_lower_score(void) {
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    bool may = write(fd, "-999", 4) == 4;
    (void)!write(fd, "0", 1);
    close(fd);
    return may;
}

static void test_pod_init(void) {
    int lifeline, pidns, status = -1;
    struct error err = {0};
    char path[64];
    pid_t pid = pod_init_start(&fixture_env, &(struct plan){0}, &lifeline, &pidns, &err);
    ok(pid > 0, "a pod's init runs");
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    has(get_file(path), "Seccomp:\t2", "with a filter, when others may join it");
    has(get_file(path), "CapEff:\t0000000000000000", "without capabilities");
    snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
    same(get_file(path), may_lower_score() ? "-998\n" : "0\n", "with a score of its own");
    snprintf(path, sizeof path, "/proc/%d/fd/1", pid);
    struct stat st;
    ok(lstat(path, &st) < 0, "and one descriptor");
    close(lifeline);
    waitpid(pid, &status, 0);
    ok(WIFEXITED(status), "it ends with its supervisor, by a call that it may make (%x)", (unsigned)status);
    close(pidns);
}

/* Changes the call that a stopped process is about to make. */
static long replace_call(pid_t pid, int number) {
#if defined(__x86_64__)
    return ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), (long)number);
#else
    struct iovec call = {&number, sizeof number};
    return ptrace(PTRACE_SETREGSET, pid, (void *)0x404 /* NT_ARM_SYSTEM_CALL */, &call);
#endif
}

/* What code that a container has brought into it comes to. */
static void test_driven(const char *name, int number) {
    int lifeline, pidns, status = -1;
    struct error err = {0};
    pid_t pid = pod_init_start(&fixture_env, &(struct plan){0}, &lifeline, &pidns, &err);
    ptrace(PTRACE_SEIZE, pid, NULL, NULL);
    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
    waitpid(pid, &status, __WALL);
    ptrace(PTRACE_SYSCALL, pid, NULL, NULL); /* to the read(2) that it waits in, begun anew */
    waitpid(pid, &status, __WALL);
    ok(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP && replace_call(pid, number) == 0, "traced, it makes %s",
       name);
    ptrace(PTRACE_CONT, pid, NULL, NULL);
    waitpid(pid, &status, __WALL);
    ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "which ends it (%x)", (unsigned)status);
    kill(pid, SIGKILL);
    close(lifeline);
    close(pidns);
}

int main(void) {
    if (!fixture_open()) return 1;
    alarm(PATIENCE_S);
    layer = fresh_layer("layer");
    test_pod_init();
    test_driven("unshare(2)", SYS_unshare);
    test_driven("io_uring_setup(2)", SYS_io_uring_setup);
    test_driven("mmap(2)", SYS_mmap);
    pid_t supervisor = fork();
    if (supervisor == 0) supervise();
    int status = follow(supervisor);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a container and a further process ran (%x)", (unsigned)status);
    ok(seen > 1, "processes of ours were seen in their PID namespaces: %u", seen);
    ok(unfiltered == 0, "none before it had its filter: %u of %u", unfiltered, seen);
    for (int which = 0; which < SECRETS; which++)
        ok(found[which] == 0, "without another container's %s in its memory: %u", names[which], found[which]);
    fixture_remove();
    return done();
}
