/* scan SECONDS: looks again and again at every process it can see, for anything that is not of its own mount namespace: open files,
 * working directories, roots and programs. Prints one line for each find, then "scanned N times". A process of the runtime that is on
 * its way into the container must show nothing here (CVE-2016-9962, CVE-2019-5736, CVE-2024-21626). */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/stat.h>

#define MAX_MOUNTS 512
#define MAX_FINDS 200
#define ANONYMOUS_INODE 0x09041934 /* ANON_INODE_FS_MAGIC, linux/magic.h */

static unsigned long mounts[MAX_MOUNTS];
static int mount_count, finds;

static void read_mounts(void) {
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char line[4096];
    mount_count = 0;
    while (file && fgets(line, sizeof line, file) && mount_count < MAX_MOUNTS)
        mounts[mount_count++] = strtoul(line, NULL, 10);
    if (file) fclose(file);
}

static int own_mount(unsigned long id) {
    for (int i = 0; i < mount_count; i++)
        if (mounts[i] == id) return 1;
    return 0;
}

/* Names what was opened by the descriptor: the path may lead elsewhere by now. */
static void report(const char *kind, const char *path, int fd) {
    char link[64], target[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    if (finds++ < MAX_FINDS) printf("FOUND %s %s -> %s\n", kind, path, target);
}

/* An object that can be reached and lies on a mount that is not ours. Pipes, sockets and the null device are how containers get their
 * stdio and lead nowhere. */
static int foreign(int fd) {
    struct statx info;
    struct statfs fs;
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &info)) return 0;
    if (S_ISFIFO(info.stx_mode) || S_ISSOCK(info.stx_mode)) return 0;
    if (S_ISCHR(info.stx_mode) && info.stx_rdev_major == 1 && info.stx_rdev_minor == 3) return 0;
    if (fstatfs(fd, &fs) == 0 && fs.f_type == ANONYMOUS_INODE) return 0;
    return !own_mount(info.stx_mnt_id);
}

static void look(const char *kind, const char *path) {
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return;
    if (foreign(fd)) {
        read_mounts();
        if (foreign(fd)) report(kind, path, fd);
    }
    close(fd);
}

static void look_at_files(const char *process) {
    char path[512];
    snprintf(path, sizeof path, "/proc/%s/fd", process);
    DIR *files = opendir(path);
    for (struct dirent *entry; files && (entry = readdir(files));) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        snprintf(path, sizeof path, "/proc/%s/fd/%s", process, entry->d_name);
        look("file", path);
    }
    if (files) closedir(files);
}

static void look_at_process(const char *process) {
    static const char *const links[] = {"exe", "cwd", "root"};
    char path[512];
    for (unsigned i = 0; i < sizeof links / sizeof *links; i++) {
        snprintf(path, sizeof path, "/proc/%s/%s", process, links[i]);
        look(links[i], path);
    }
    /* Whoever is on the way in runs the runtime's binary: it must not be writable, by no way. */
    snprintf(path, sizeof path, "/proc/%s/exe", process);
    int binary = open(path, O_RDWR | O_CLOEXEC);
    if (binary >= 0) {
        if (foreign(binary)) report("writable-exe", path, binary);
        close(binary);
    }
    look_at_files(process);
}

int main(int argc, char **argv) {
    time_t end = time(NULL) + (argc > 1 ? atol(argv[1]) : 1);
    long rounds = 0;
    char self[16];
    snprintf(self, sizeof self, "%d", getpid());
    read_mounts();
    puts("scanning");
    fflush(stdout);
    for (; time(NULL) < end; rounds++) {
        DIR *processes = opendir("/proc");
        for (struct dirent *entry; processes && (entry = readdir(processes));)
            if (isdigit((unsigned char)entry->d_name[0]) && strcmp(entry->d_name, self) != 0)
                look_at_process(entry->d_name);
        if (processes) closedir(processes);
    }
    printf("scanned %ld times\n", rounds);
    return 0;
}
