/* floor PLACE CGROUP CYCLES: what the bare kernel takes for the work of a pod, without a runtime around it. Prints "operation milliseconds"
 * lines. PLACE is a directory with lower/true and lower/pause; CGROUP a path below every cgroup hierarchy. Once a cycle:
 *
 *   sandbox    a process that holds IPC and UTS namespaces, and shared memory
 *   network    the same with a network namespace that is pinned, and a veth pair into it
 *   container  directories, cgroups with limits, namespaces, overlay, the usual mounts and devices, a process that waits to execute
 *   start      its execve
 *   exec       a process that joins all of it, executes /true and ends
 *   stop       SIGKILL until it is reaped and its cgroups are gone                                                                     */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HIERARCHIES 16
#define LIMITS 3

static const char *place, *cgroup;
static char hierarchies[HIERARCHIES][64];
static int hierarchy_count;

static void die(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", strerror(errno), what);
    _exit(1);
}

static void must(int result, const char *what) {
    if (result < 0) die(what);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Prints what passed since `begin` and begins anew. */
static double lap(const char *operation, double begin) {
    printf("%s %.4f\n", operation, now() - begin);
    return now();
}

static void find_hierarchies(void) {
    FILE *mounts = fopen("/proc/self/mounts", "re");
    char point[64], type[32];
    if (!mounts) die("/proc/self/mounts");
    while (hierarchy_count < HIERARCHIES && fscanf(mounts, "%*s %63s %31s %*[^\n]", point, type) == 2)
        if (strncmp(type, "cgroup", 6) == 0) strcpy(hierarchies[hierarchy_count++], point);
    fclose(mounts);
}

static void put(const char *path, const char *text, int optional) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 && optional) return;
    if (file < 0 || write(file, text, strlen(text)) < 0) die(path);
    close(file);
}

static void each_cgroup(void (*work)(const char *directory)) {
    char path[256];
    for (int i = 0; i < hierarchy_count; i++) {
        snprintf(path, sizeof path, "%s%s", hierarchies[i], cgroup);
        work(path);
    }
}

/* In v1 nobody can be in a cpuset before it has CPUs and memory nodes. */
static void inherit(const char *directory, const char *name) {
    char file[320], value[256];
    snprintf(file, sizeof file, "%s/../%s", directory, name);
    int parent = open(file, O_RDONLY | O_CLOEXEC);
    if (parent < 0) return;
    ssize_t length = read(parent, value, sizeof value - 1);
    close(parent);
    must((int)length, file);
    value[length] = 0;
    snprintf(file, sizeof file, "%s/%s", directory, name);
    put(file, value, 0);
}

static void cgroup_make(const char *directory) {
    static const char *const limits[LIMITS][2] = {
        {"memory.limit_in_bytes", "67108864"}, {"cpu.shares", "102"}, {"pids.max", "1024"}};
    char file[320];
    must(mkdir(directory, 0755), directory);
    for (int i = 0; i < LIMITS; i++) {
        snprintf(file, sizeof file, "%s/%s", directory, limits[i][0]);
        put(file, limits[i][1], 1);
    }
    inherit(directory, "cpuset.cpus");
    inherit(directory, "cpuset.mems");
}

/* The cgroups above, which only some hierarchies have. */
static void cgroup_make_parents(const char *directory) {
    char path[256];
    snprintf(path, sizeof path, "%s", directory);
    char *last = strrchr(path, '/');
    for (char *slash = path + strlen(directory) - strlen(cgroup) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        if (mkdir(path, 0755) == 0) {
            inherit(path, "cpuset.cpus");
            inherit(path, "cpuset.mems");
        } else if (errno != EEXIST)
            die(path);
        *slash = '/';
        if (slash == last) break;
    }
}

static void cgroup_join(const char *directory) {
    char file[320];
    snprintf(file, sizeof file, "%s/cgroup.procs", directory);
    put(file, "0", 0);
}

static void cgroup_remove(const char *directory) {
    while (rmdir(directory) < 0 && errno == EBUSY) sched_yield();
}

/* The child goes with its parent: one that failed must leave nobody who keeps its output open. */
static pid_t clone_with(unsigned long flags) {
    pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) must(prctl(PR_SET_PDEATHSIG, SIGKILL), "parent's death");
    return pid;
}

static void tell(int pipe_end) { must((int)write(pipe_end, "", 1), "pipe"); }

static void await(int pipe_end) {
    char byte;
    if (read(pipe_end, &byte, 1) != 1) die("a process that was to be made");
}

static void add_attribute(struct nlmsghdr *message, unsigned short type, const void *data, size_t length) {
    struct rtattr *attribute = (struct rtattr *)((char *)message + NLMSG_ALIGN(message->nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = (unsigned short)RTA_LENGTH(length);
    if (length > 0) memcpy(RTA_DATA(attribute), data, length);
    message->nlmsg_len = NLMSG_ALIGN(message->nlmsg_len) + RTA_ALIGN(attribute->rta_len);
}

/* `ip link add floorPID type veth peer name eth0 netns PID`. It goes with its namespace, which the kernel takes its time for. */
static void add_veth(pid_t peer) {
    char name[IFNAMSIZ];
    snprintf(name, sizeof name, "floor%d", peer);
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
        char attributes[256];
    } request = {.header = {.nlmsg_type = RTM_NEWLINK,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK,
                            .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg))}};
    char *base = (char *)&request;
    add_attribute(&request.header, IFLA_IFNAME, name, strlen(name) + 1);
    struct rtattr *info = (struct rtattr *)(base + NLMSG_ALIGN(request.header.nlmsg_len));
    add_attribute(&request.header, IFLA_LINKINFO, NULL, 0);
    add_attribute(&request.header, IFLA_INFO_KIND, "veth", 4);
    struct rtattr *data = (struct rtattr *)(base + request.header.nlmsg_len);
    add_attribute(&request.header, IFLA_INFO_DATA, NULL, 0);
    struct rtattr *other = (struct rtattr *)(base + request.header.nlmsg_len);
    add_attribute(&request.header, VETH_INFO_PEER, &(struct ifinfomsg){0}, sizeof(struct ifinfomsg));
    add_attribute(&request.header, IFLA_IFNAME, "eth0", 5);
    add_attribute(&request.header, IFLA_NET_NS_PID, &peer, sizeof peer);
    char *end = base + request.header.nlmsg_len;
    for (struct rtattr **nest = (struct rtattr *[]){info, data, other, NULL}; *nest; nest++)
        (*nest)->rta_len = (unsigned short)(end - (char *)*nest);
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char rest[256];
    } answer;
    if (netlink < 0 || send(netlink, &request, request.header.nlmsg_len, 0) < 0) die("veth");
    if (recv(netlink, &answer, sizeof answer, 0) < 0) die("veth");
    errno = -answer.error.error;
    if (errno) die("veth");
    close(netlink);
}

/* A process that holds namespaces of a pod. */
static pid_t hold(unsigned long namespaces) {
    int ready[2];
    must(pipe2(ready, O_CLOEXEC), "pipe");
    pid_t holder = clone_with(namespaces | CLONE_NEWNS);
    must(holder, "clone");
    if (holder == 0) {
        must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "/");
        must(mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=67108864"), "shm");
        must(sethostname("raft", 4), "host name");
        tell(ready[1]);
        for (;;) pause();
    }
    close(ready[1]);
    await(ready[0]);
    close(ready[0]);
    return holder;
}

static void end(pid_t process) {
    must(kill(process, SIGKILL), "kill");
    must(waitpid(process, NULL, 0), "wait");
}

static void network_cycle(void) {
    char source[64], pin[256];
    snprintf(pin, sizeof pin, "%s/netns", place);
    double begin = now();
    pid_t holder = hold(CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET);
    snprintf(source, sizeof source, "/proc/%d/ns/net", holder);
    close(open(pin, O_CREAT | O_CLOEXEC, 0444));
    must(mount(source, pin, NULL, MS_BIND, NULL), pin);
    add_veth(holder);
    begin = lap("network", begin);
    must(umount2(pin, MNT_DETACH), pin);
    unlink(pin);
    end(holder);
    lap("network-stop", begin);
}

static void device(const char *path, unsigned minor) { must(mknod(path, S_IFCHR | 0666, makedev(1, minor)), path); }

/* In the container's first process: everything up to its execve. */
static void make_root(const char *directory) {
    static const char *const masked[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list"};
    char options[1024], root[320];
    snprintf(root, sizeof root, "%s/root", directory);
    snprintf(options, sizeof options, "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", place, directory,
             directory);
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "/");
    must(mount("overlay", root, "overlay", 0, options), "overlay");
    must(chdir(root), root);
    must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
    must(mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL), "sysfs");
    must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=65536k"), "dev");
    must(mkdir("dev/pts", 0755) | mkdir("dev/shm", 0755) | mkdir("dev/mqueue", 0755), "dev");
    must(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666"), "devpts");
    must(mount("/dev/shm", "dev/shm", NULL, MS_BIND, NULL), "shm");
    must(mount("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "mqueue");
    static const struct {
        const char *path;
        unsigned minor;
    } devices[] = {{"dev/null", 3}, {"dev/zero", 5}, {"dev/full", 7}, {"dev/random", 8}, {"dev/urandom", 9}};
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) device(devices[i].path, devices[i].minor);
    must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
    must(umount2(".", MNT_DETACH), "old root");
    for (size_t i = 0; i < sizeof masked / sizeof *masked; i++)
        if (mount("/dev/null", masked[i], NULL, MS_BIND, NULL) < 0 && errno != ENOENT) die(masked[i]);
    must(mount(NULL, "/proc/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0 && errno != EINVAL ? -1 : 0,
         "/proc/sys");
}

struct container {
    pid_t pid;
    int ready, go;
};

static void make_directories(const char *directory) {
    static const char *const names[] = {"", "/upper", "/work", "/root"};
    char path[320];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s%s", directory, names[i]);
        must(mkdir(path, 0755), path);
    }
}

static struct container make_container(const char *directory) {
    int ready[2], go[2];
    make_directories(directory);
    each_cgroup(cgroup_make);
    must(pipe2(ready, O_CLOEXEC) | pipe2(go, O_CLOEXEC), "pipe");
    pid_t pid = clone_with(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP);
    must(pid, "clone");
    if (pid == 0) {
        each_cgroup(cgroup_join);
        make_root(directory);
        tell(ready[1]);
        await(go[0]);
        execl("/pause", "/pause", (char *)NULL);
        die("/pause");
    }
    close(ready[1]);
    close(go[0]);
    await(ready[0]);
    return (struct container){pid, ready[0], go[1]};
}

/* The pipe is close-on-exec: its end is the execve. */
static void start(struct container c) {
    char byte;
    tell(c.go);
    if (read(c.ready, &byte, 1) != 0) die("execve");
    close(c.ready);
    close(c.go);
}

static void exec_true(struct container c) {
    pid_t child = vfork();
    must(child, "vfork");
    if (child == 0) {
        int target = (int)syscall(SYS_pidfd_open, c.pid, 0);
        must(setns(target, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP), "setns");
        pid_t inside = fork();
        must(inside, "fork");
        if (inside == 0) {
            execl("/true", "/true", (char *)NULL);
            _exit(1);
        }
        int status;
        _exit(waitpid(inside, &status, 0) < 0 || status != 0);
    }
    int status;
    if (waitpid(child, &status, 0) < 0 || status != 0) die("exec");
}

static void remove_directories(const char *directory) {
    static const char *const names[] = {"/work/work", "/work", "/upper", "/root", ""};
    char path[320];
    /* What a mount made on the way. */
    static const char *const made[] = {"/proc", "/sys", "/dev"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        snprintf(path, sizeof path, "%s/upper%s", directory, made[i]);
        rmdir(path);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s%s", directory, names[i]);
        must(rmdir(path), path);
    }
}

static void pod_cycle(int number) {
    char directory[256];
    snprintf(directory, sizeof directory, "%s/%d", place, number);
    double begin = now();
    pid_t holder = hold(CLONE_NEWIPC | CLONE_NEWUTS);
    begin = lap("sandbox", begin);
    struct container c = make_container(directory);
    begin = lap("container", begin);
    start(c);
    begin = lap("start", begin);
    exec_true(c);
    begin = lap("exec", begin);
    end(c.pid);
    each_cgroup(cgroup_remove);
    begin = lap("stop", begin);
    remove_directories(directory);
    begin = lap("remove", begin);
    end(holder);
    lap("sandbox-stop", begin);
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    place = argv[1];
    cgroup = argv[2];
    find_hierarchies();
    each_cgroup(cgroup_make_parents);
    for (int i = 0; i < atoi(argv[3]); i++) {
        pod_cycle(i);
        network_cycle();
    }
    return 0;
}
