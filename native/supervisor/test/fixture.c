#include "test/fixture.h"

#include <stdarg.h>
#include <sys/prctl.h>

#include "build/mntns.h"

struct build_env fixture_env = {.userns = -1};
char fixture_dir[64];

char *at(const char *format, ...) {
    static char ring[4096][256]; /* more than any test makes: what it hands out stays valid */
    static int next;
    char *out = ring[next++ % 4096];
    int len = snprintf(out, 256, "%s/", fixture_dir);
    va_list ap;
    va_start(ap, format);
    vsnprintf(out + len, (size_t)(256 - len), format, ap);
    va_end(ap);
    return out;
}

void put_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) perror(path);
    close(fd);
}

char *get_file(const char *path) {
    static char text[8192];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    if (fd >= 0) close(fd);
    return text;
}

void fresh_image(void) {
    char command[1024];
    snprintf(command, sizeof command,
             "cd %s && mkdir -p image.top/etc image.below/etc image.below/bin && cp /bin/busybox image.below/bin && "
             "echo top > image.top/etc/top && echo first > image.below/etc/both && echo second > image.top/etc/both && "
             "chown 1000:1000 image.top/etc/both && ln -s /etc image.top/escape && ln -s /nowhere image.top/dangling",
             fixture_dir);
    if (system(command) != 0) fprintf(stderr, "image\n");
}

char *fresh_layer(const char *name) {
    char *layer = at("%s", name), command[2048];
    snprintf(command, sizeof command,
             "mkdir -p %s/bin %s/etc %s/tmp && cp /bin/busybox %s/bin/busybox && for a in sh cat ls grep id sleep "
             "mkdir stat readlink "
             "hostname ps mount head wc echo true touch env pwd tr sed sort seq; do ln -sf busybox %s/bin/$a; done",
             layer, layer, layer, layer, layer);
    if (system(command) != 0) fprintf(stderr, "layer %s\n", layer);
    return layer;
}

struct wire_bytes bytes_of(const struct draft *d) { return (struct wire_bytes){d->data, (uint32_t)d->w.len}; }

bool listen_to(struct run *r, bool until_ready) {
    for (;;) {
        struct build_message m = {0};
        struct iovec iov = {&m, sizeof m};
        char control[CMSG_SPACE(sizeof(int))];
        struct msghdr msg = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        struct pollfd p = {r->sync, POLLIN, 0};
        if (poll(&p, 1, 10000) <= 0) {
            ok(false, "a builder answers within 10 s");
            return false;
        }
        ssize_t n = recvmsg(r->sync, &msg, MSG_CMSG_CLOEXEC);
        if (n != (ssize_t)sizeof m) return n == 0 && !until_ready && r->failed.type == 0;
        if (m.type == BUILD_PAYLOAD)
            r->pid = m.pid;
        else if (m.type == BUILD_CONSOLE)
            memcpy(&r->console, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof r->console);
        else if (m.type == BUILD_FAILED)
            r->failed = m;
        else if (m.type == BUILD_READY && until_ready)
            return true;
    }
}

struct driver_io open_io(bool terminal) {
    struct driver_io d = {.io = {.terminal = terminal}};
    int pair[2], out[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || pipe2(out, O_CLOEXEC) < 0) perror("io");
    d.io.sync = pair[1];
    d.io.stdio[0] = fixture_env.null_fd;
    d.io.stdio[1] = d.io.stdio[2] = out[1];
    d.ours[0] = pair[0];
    d.ours[1] = out[0];
    return d;
}

bool settle(struct run *r, struct driver_io *io, int result, bool create) {
    close(io->io.sync);
    close(io->io.stdio[1]);
    r->sync = io->ours[0];
    r->out = io->ours[1];
    r->console = -1;
    r->pid = r->process.builder;
    if (result < 0) return false;
    return listen_to(r, create);
}

bool create(struct run *r, const struct draft *d, int target) {
    *r = (struct run){0};
    struct plan_op *terminal;
    struct plan plan;
    struct wire_bytes plan_bytes = bytes_of(d);
    bool wants_terminal = false;
    if (plan_decode(&plan_bytes, PLAN_OF_CONTAINER, &plan, &r->err) == 0) {
        terminal = plan_find(&plan, PLAN_TERMINAL);
        wants_terminal = terminal != NULL;
        plan_free(&plan);
    }
    struct driver_io io = open_io(wants_terminal);
    return settle(r, &io, build_container(&plan_bytes, &fixture_env, &io.io, target, &r->process, &r->err), true);
}

bool release(struct run *r) { return write(r->sync, "", 1) == 1 && listen_to(r, false); }

bool exec_in(struct run *r, const struct draft *container, const struct draft *process, int init_pidfd, bool terminal) {
    *r = (struct run){0};
    struct wire_bytes c = bytes_of(container), p = bytes_of(process);
    struct driver_io io = open_io(terminal);
    return settle(r, &io, build_exec(&c, &p, &fixture_env, &io.io, init_pidfd, &r->process, &r->err), false);
}

void finish(struct run *r) {
    size_t used = 0;
    ssize_t n;
    int from = r->console >= 0 ? r->console : r->out;
    while (from >= 0 && used < sizeof r->text - 1 && (n = read(from, r->text + used, sizeof r->text - 1 - used)) > 0)
        used += (size_t)n;
    r->text[used] = 0;
    if (r->process.builder > 0) waitpid(r->process.builder, &r->status, 0);
    if (r->pid != r->process.builder && r->pid > 0) waitpid(r->pid, &r->status, 0);
    close(r->sync);
    close(r->out);
    if (r->console >= 0) close(r->console);
    if (r->process.pidfd > 0) close(r->process.pidfd);
}

bool run(struct run *r, const char *layer, const char *name, const struct wish *w) {
    static struct draft d;
    draft_container(&d, layer, name, w);
    bool good = create(r, &d, -1) && release(r);
    finish(r);
    return good;
}

void fixture_remove(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", fixture_dir);
    if (system(command) != 0) fprintf(stderr, "cannot remove %s\n", fixture_dir);
}

bool fixture_open(void) {
    struct error err;
    setvbuf(stdout, NULL, _IOLBF, 0);
    strcpy(fixture_dir, "/tmp/jangada-test-XXXXXX");
    if (!mkdtemp(fixture_dir)) return false;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    fixture_env.pod_pidns = fixture_env.userns = -1;
    fixture_env.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    fixture_env.empty_mntns = build_pod_mntns(1 << 20, NULL, "", &err);
    if (fixture_env.empty_mntns < 0) printf("Bail out! %s %s\n", err.step, err.detail);
    return fixture_env.empty_mntns >= 0;
}
