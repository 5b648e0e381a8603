/* Further processes in a running container, and containers that share PID namespaces. */
#include <linux/capability.h>
#include <sys/prctl.h>

#include "base/keyring.h"
#include "test/fixture.h"

static struct run r;
static struct draft container, process;
static char *layer;

/* A container that waits on its first process; its init's pid in r2. */
static bool start_waiting(struct run *c, struct draft *d, const char *name, const struct wish *w, int target) {
    draft_container(d, layer, name, w);
    bool good = create(c, d, target) && release(c);
    if (!good) printf("# %s: %s / %s: %s\n", c->failed.step, c->failed.detail, c->err.step, c->err.detail);
    return good;
}

static bool execs(const struct draft *d, struct run *c, const struct wish *w) {
    int pidfd = (int)syscall(434 /* pidfd_open */, c->pid, 0);
    draft_exec(&process, w);
    bool good = exec_in(&r, d, &process, pidfd, w->terminal);
    finish(&r);
    close(pidfd);
    if (!good) printf("# %s: %s / %s: %s\n", r.failed.step, r.failed.detail, r.err.step, r.err.detail);
    return good;
}

static void stop(struct run *c) {
    kill(c->pid, SIGKILL);
    finish(c);
}

#define REPORT                                                                                                    \
    "grep -vE "                                                                                                   \
    "'^(Name|State|Pid|PPid|Tgid|NStgid|NSpid|NSpgid|NSsid|SigQ|Vm|Rss|voluntary|nonvol|Shd|Sig|Kthread|Threads|" \
    "Mems|Cpus|Hugetlb)' /proc/self/status; cat /proc/self/cgroup /proc/self/limits /proc/self/oom_score_adj; "   \
    "for n in mnt uts ipc net cgroup pid user; do readlink /proc/self/ns/$n; done; pwd"

static void test_same_as_first(void) {
    struct identity user = {.uid = 1000,
                            .gid = 5000,
                            .groups = {5000, 7},
                            .group_count = 2,
                            .bounding = CAPS_DEFAULT,
                            .no_new_privileges = 1};
    struct wish w = {.script = REPORT "; echo END; sleep 100", .identity = &user, .seccomp = true, .cwd = "/etc"};
    struct wish again = {.script = REPORT "; echo END", .identity = &user, .seccomp = true, .cwd = "/etc"};
    struct run c;
    char first[8192] = "";
    size_t used = 0;
    ok(start_waiting(&c, &container, "same", &w, -1), "a container runs");
    while (!strstr(first, "END") && used < sizeof first - 1) {
        ssize_t n = read(c.out, first + used, sizeof first - 1 - used);
        if (n <= 0) break;
        used += (size_t)n;
        first[used] = 0;
    }
    ok(execs(&container, &c, &again), "a further process in it");
    same(r.text, first, "CVE-2019-10144: has exactly what the first one has");
    struct wish pids = {.script = "echo $$ > /tmp/pid; ps; ls /proc/$$/fd; true", .identity = &user, .seccomp = true};
    struct identity root = {
        .bounding = CAPS_DEFAULT, .permitted = CAPS_DEFAULT, .effective = CAPS_DEFAULT, .group_count = 1};
    pids.identity = &root;
    ok(execs(&container, &c, &pids), "as root");
    has(r.text, "sleep 100", "it sees the container's processes");
    ok(strstr(r.text, "exec_test") == NULL, "and no process of the host or of the supervisor");
    has(r.text, "0\n1\n2\n", "CVE-2024-21626: no descriptor but stdio is open");
    ok(strstr(r.text, "\n3\n") == NULL, "none of the supervisor's") ? (void)0 : (void)printf("# %s\n", r.text);
    stop(&c);
}

static void test_terminal(void) {
    struct wish w = {.script = "sleep 100"},
                tty = {.script = "readlink /proc/self/fd/0; busybox stty size; echo t > /dev/tty", .terminal = true};
    struct run c;
    ok(start_waiting(&c, &container, "tty", &w, -1), "a container runs");
    ok(execs(&container, &c, &tty), "a further process with a terminal");
    same(r.text, "/dev/pts/0\r\n24 80\r\nt\r\n", "has one of the container's own");
    struct wish outside = {.script = "true", .cwd = "/nowhere"};
    ok(!execs(&container, &c, &outside), "a missing working directory is refused");
    same(r.failed.detail, "no such file or directory: /nowhere (working directory)", "and named");
    for (int fd = 3; fd < 64; fd += 7) {
        char cwd[32];
        snprintf(cwd, sizeof cwd, "/proc/self/fd/%d", fd);
        struct wish leak = {.script = "pwd", .cwd = cwd};
        ok(!execs(&container, &c, &leak), "CVE-2024-21626: working directory %s is refused", cwd);
    }
    stop(&c);
    ok(!execs(&container, &c, &w), "nothing can be started in a container that is gone");
}

/* Without these capabilities root is refused as it is by NFS with root_squash. */
static bool override_permissions(bool can) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    const uint32_t over_files = 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;
    if (syscall(SYS_capget, &header, data) < 0) return false;
    data[0].effective = can ? data[0].permitted : data[0].effective & ~over_files;
    return syscall(SYS_capset, &header, data) == 0;
}

static void test_cwd_of_the_user(void) {
    struct identity user = {.uid = 1000, .gid = 1000, .bounding = CAPS_DEFAULT, .group_count = 1}, stranger = user;
    struct wish w = {.script = "sleep 100", .binds = {{at("private"), "/private"}}},
                here = {.script = "pwd; id -u; grep -E 'Cap(Prm|Eff)' /proc/self/status",
                        .identity = &user,
                        .cwd = "/private/home"},
                there = here;
    struct run c;
    stranger.uid = 1001;
    there.identity = &stranger;
    mkdir(at("private"), 0755);
    mkdir(at("private/home"), 0700);
    ok(chown(at("private/home"), 1000, 1000) == 0 && start_waiting(&c, &container, "cwd", &w, -1), "a container runs");
    ok(override_permissions(false) && execs(&container, &c, &here), "a file system refuses root, not the user");
    same(r.text, "/private/home\n1000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n",
         "whose working directory is entered as that user");
    ok(!execs(&container, &c, &there), "and as no other");
    same(r.failed.detail, "permission denied: /private/home (working directory)", "who is told so");
    ok(override_permissions(true), "root is root again");
    stop(&c);
}

/* A process that owns a PID namespace, as the init of a pod does. */
static pid_t pod_init(int *ns) {
    int gate[2];
    if (pipe2(gate, O_CLOEXEC) < 0) return -1;
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        char byte;
        close(gate[1]);
        (void)!read(gate[0], &byte, 1);
        _exit(0);
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
    *ns = open(path, O_RDONLY | O_CLOEXEC);
    return pid;
}

static void test_shared_pid(void) {
    struct run one, two;
    static struct draft first, second;
    pid_t init = pod_init(&fixture_env.pod_pidns);
    struct wish wait = {.script = "echo $$; sleep 101", .pid = PLAN_PID_MODE_POD};
    struct wish look = {.script = "ps; ls -d /proc/1; readlink /proc/self/ns/pid; ls /proc/$$/fd",
                        .pid = PLAN_PID_MODE_POD};
    ok(start_waiting(&one, &first, "pod1", &wait, -1), "a container in the pod's PID namespace");
    ok(one.pid != one.process.builder, "its pid is told by the builder");
    int status;
    ok(waitpid(one.process.builder, &status, 0) == one.process.builder && status == 0, "which has ended");
    ok(getpgid(one.pid) == one.pid && getsid(one.pid) == one.pid, "the process leads a session of its own");
    one.process.builder = one.pid;
    ok(run(&r, layer, "pod2", &look), "a second container of the pod");
    has(r.text, "sleep 101", "sees the first one's processes");
    has(r.text, "/proc/1\n", "and the pod's init");
    struct wish exec = {.script = "ps; echo $$"};
    ok(execs(&first, &one, &exec), "a further process");
    has(r.text, "sleep 101", "is in the same namespace");
    int pidfd = (int)syscall(434, one.pid, 0);
    struct wish target = {.script = "ps", .pid = PLAN_PID_MODE_TARGET};
    draft_container(&second, layer, "target", &target);
    ok(create(&two, &second, pidfd) && release(&two), "a container in the PID namespace of another (TARGET)");
    finish(&two);
    has(two.text, "sleep 101", "sees that one's processes");
    close(pidfd);
    stop(&one);
    kill(init, SIGKILL);
    waitpid(init, NULL, 0);
    ok(!run(&r, layer, "pod3", &look), "a namespace that is gone is an error");
    same(r.failed.detail, "its first process has ended: pid (PID namespace)", "that is named");
    close(fixture_env.pod_pidns);
    fixture_env.pod_pidns = -1;
    ok(!run(&r, layer, "pod4", &look) && strstr(r.err.detail, "there is none to join"), "so is a pod that shares none");
    struct wish node = {.script = "readlink /proc/self/ns/pid; ls -d /proc/$PPID", .pid = PLAN_PID_MODE_NODE};
    char host[64] = "";
    (void)!readlink("/proc/self/ns/pid", host, sizeof host - 1);
    ok(run(&r, layer, "node", &node), "a container in the host's PID namespace");
    has(r.text, host, "is in it");
    has(r.text, "\n/proc/", "and its procfs shows it");
    struct wish node_wait = {.script = "sleep 102", .pid = PLAN_PID_MODE_NODE};
    ok(start_waiting(&one, &first, "node2", &node_wait, -1), "a waiting one");
    ok(execs(&first, &one, &node), "and a further process there");
    has(r.text, host, "is in it too");
    stop(&one);
}

/* Answers as a kernel before 6.17, which knows no "pidns" of a procfs. */
static void forget_pidns_option(void) {
    const struct {
        uint16_t code;
        uint8_t jt, jf;
        uint32_t k;
    } filter[] = {
        {0x20, 0, 0, 0},
        {0x15, 0, 3, 431 /* fsconfig */},
        {0x20, 0, 0, 24 /* second argument */},
        {0x15, 0, 1, 5 /* FSCONFIG_SET_FD */},
        {0x06, 0, 0, 0x50000 | EINVAL},
        {0x06, 0, 0, 0x7fff0000},
    };
    const struct {
        uint16_t len;
        const void *filter;
    } program = {6, filter};
    ok(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, 2, &program, 0, 0) == 0,
       "the kernel is an older one");
}

static void test_older_procfs(void) {
    struct wish look = {.script = "ls -d /proc/1; ls /proc/$$/fd; mount | grep ' /proc '", .pid = PLAN_PID_MODE_POD};
    pid_t init = pod_init(&fixture_env.pod_pidns);
    int pid = fork(), status;
    if (pid == 0) {
        forget_pidns_option();
        ok(run(&r, layer, "older", &look), "a container in the pod's PID namespace, its procfs made inside");
        has(r.text, "/proc/1\n", "which is that of the namespace");
        has(r.text, "\n0\n1\n2\n", "the program has its own descriptors");
        ok(strstr(r.text, "\n3\n") == NULL, "and none that was lent");
        has(r.text, "(rw,nosuid,nodev,noexec", "with the flags of the plan");
        _exit(done_inside());
    }
    waitpid(pid, &status, 0);
    done_by_child(6, status == 0);
    kill(init, SIGKILL);
    waitpid(init, NULL, 0);
    close(fixture_env.pod_pidns);
    fixture_env.pod_pidns = -1;
}

static long session_keyring(void) { return syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3 /* session */, 0); }

/* CVE-2016-0728 and later ones need a keyring that others hold too. */
static void test_keyring(void) {
    struct error err;
    int status, pid = fork();
    if (pid == 0) {
        long before = session_keyring();
        bool good = keyring_join_new(&err) == 0;
        _exit(good && (before < 0 || session_keyring() != before) ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    ok(status == 0, "a process gets a session keyring of its own");
}

int main(void) {
    if (!fixture_open()) return 1;
    layer = fresh_layer("layer");
    test_same_as_first();
    test_terminal();
    test_cwd_of_the_user();
    test_shared_pid();
    test_older_procfs();
    test_keyring();
    fixture_remove();
    return done();
}
