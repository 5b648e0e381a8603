/* A supervisor that is killed while it makes its pod's namespaces leaves nothing that runs, and at most its pin, at the path it was told. */
#include "pod/sandbox.h"

#include <sys/ptrace.h>

#include "test/fixture.h"

#define PATIENCE_S 240

static char *pin;

static void write_request(struct wire_writer *w, bool with_userns) {
    const uint32_t map[3] = {231072, 231072, 65536};
    wire_frame_begin(w, REQUEST_SANDBOX, 1);
    wire_put_string(w, 1, "killed");
    wire_put_u8(w, 2, true);
    wire_put_u8(w, 3, true);
    wire_put_u8(w, 4, true);
    wire_put_string(w, 5, pin);
    wire_put_bytes(w, 20, map, with_userns ? sizeof map : 0);
    wire_put_string(w, 21, "");
    wire_frame_end(w);
}

static _Noreturn void supervise(bool with_userns) {
    uint8_t frame[1024];
    struct wire_writer w;
    struct request r;
    struct sandbox s;
    struct error err;
    wire_writer_init(&w, frame, sizeof frame);
    write_request(&w, with_userns);
    sandbox_init(&s);
    if (request_decode(frame, w.len, &r)) _exit(2);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    _exit(sandbox_make(&s, &r, &err) < 0);
}

/* Kills it when it has entered or left its system calls `calls` times. False when it had ended before, with *status. */
static bool kill_after(int calls, bool with_userns, int *status) {
    pid_t pid = fork();
    if (pid == 0) supervise(with_userns);
    waitpid(pid, status, 0);
    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
    for (int i = 0; i < calls && WIFSTOPPED(*status);) {
        int signal = WSTOPSIG(*status);
        bool call = signal == (SIGTRAP | 0x80);
        ptrace(PTRACE_SYSCALL, pid, NULL, call || signal == SIGSTOP ? 0 : signal);
        waitpid(pid, status, 0);
        i += WIFSTOPPED(*status) && WSTOPSIG(*status) == (SIGTRAP | 0x80);
    }
    if (!WIFSTOPPED(*status)) return false;
    kill(pid, SIGKILL);
    waitpid(pid, status, 0);
    return true;
}

static bool is_mounted_somewhere(void) {
    static char line[4096];
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    bool found = false;
    while (mounts && fgets(line, sizeof line, mounts)) found |= strstr(line, fixture_dir) != NULL;
    if (mounts) fclose(mounts);
    return found;
}

/* Its children end by themselves, or this waits until the alarm. */
static void wait_for_all(void) {
    while (waitpid(-1, NULL, 0) > 0) {
    }
}

static void test_killed(bool with_userns, const char *name) {
    int calls = 0, files = 0, pins = 0, left = 0, status;
    while (kill_after(++calls, with_userns, &status)) {
        wait_for_all();
        bool mounted = umount2(pin, MNT_DETACH | UMOUNT_NOFOLLOW) == 0, file = unlink(pin) == 0;
        files += file && !mounted;
        pins += mounted;
        left += is_mounted_somewhere();
    }
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: the namespaces are made", name);
    wait_for_all();
    umount2(pin, MNT_DETACH | UMOUNT_NOFOLLOW);
    unlink(pin);
    printf("# killed at %d places: a file was left at %d, a pin at %d\n", calls - 1, files, pins);
    ok(files > 0 && pins > 0, "%s: killed everywhere, also between the file and the pin, and after it", name);
    ok(left == 0 && access(pin, F_OK) < 0, "%s: with the pin all of it is gone", name);
}

int main(void) {
    if (!fixture_open()) return 1;
    alarm(PATIENCE_S);
    pin = at("netns");
    test_killed(false, "a pod");
    test_killed(true, "a pod with a user namespace");
    ok(rmdir(fixture_dir) == 0, "nothing else was made");
    return done();
}
