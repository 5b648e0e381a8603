#include "spawner/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/kernel.h"
#include "base/member.h"
#include "base/unshared.h"
#include "loop/child.h"

#define RUNS_MAX 128u /* src/lifecycle/program-places.ts deals them out */
#define STRINGS_MAX 4096u
#define OUTPUT_MAX (3u << 20) /* two streams fit one frame */
#define TIMEOUT_DEFAULT_MS 600000
#define DRAIN_MS 2000

struct run_output {
    struct source source;
    uint8_t *data; /* address space of twice max_output bytes, used as it fills */
    uint32_t len;
    struct run *run;
};

struct run {
    bool used;
    bool ended;
    bool drained;
    bool timed_out;
    uint32_t tag;
    uint32_t max_output;
    int status;
    pid_t pid;
    struct child child;
    struct run_output output[2];
    struct timer timer;
};

static struct run runs[RUNS_MAX];
static struct connection *connection;
static int null_fd = -1;
static int oom_score_adj;
static pid_t spawner;

void run_init(struct connection *the_connection, int the_null_fd, int the_oom_score_adj) {
    connection = the_connection;
    null_fd = the_null_fd;
    oom_score_adj = the_oom_score_adj;
    spawner = getpid();
}

static void release(struct run *r) {
    timer_clear(&r->timer);
    child_forget(&r->child);
    for (int i = 0; i < 2; i++) {
        loop_close(&r->output[i].source);
        if (r->output[i].data) munmap(r->output[i].data, 2 * (size_t)r->max_output);
        r->output[i].data = NULL;
    }
    r->used = false;
}

static void put_output(struct wire_writer *w, unsigned field, const struct run_output *o) {
    uint32_t kept = o->run->max_output, from = o->len > kept ? o->len - kept : 0;
    wire_put_bytes(w, field, o->data ? o->data + from : NULL, o->len - from);
}

static void step(struct run *r) {
    struct wire_writer w;
    bool open = r->output[0].source.fd >= 0 || r->output[1].source.fd >= 0;
    if (!r->ended || (open && !r->drained) || !connection_has_room(connection)) return;
    message_begin(connection, &w, REQUEST_RUN | MESSAGE_REPLY, r->tag);
    wire_put_u32(&w, FIELD_RUN_REPLY_STATUS, (uint32_t)r->status);
    put_output(&w, FIELD_RUN_REPLY_STDOUT, &r->output[0]);
    put_output(&w, FIELD_RUN_REPLY_STDERR, &r->output[1]);
    wire_put_u8(&w, FIELD_RUN_REPLY_TIMED_OUT, r->timed_out);
    release(r);
    message_send(connection, &w);
}

void run_on_room(void) {
    for (struct run *r = runs; r < runs + RUNS_MAX; r++)
        if (r->used) step(r);
}

/* Of more than is kept the end stays: it is where a program says why it fails. */
static bool take(struct run_output *o) {
    static uint8_t nowhere[4096];
    uint32_t kept = o->run->max_output;
    if (o->len == 2 * kept && kept > 0) {
        memcpy(o->data, o->data + kept, kept);
        o->len = kept;
    }
    ssize_t n = kept > 0 ? read(o->source.fd, o->data + o->len, 2 * kept - o->len)
                         : read(o->source.fd, nowhere, sizeof nowhere);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (n <= 0) {
        loop_close(&o->source);
        return false;
    }
    o->len += kept > 0 ? (uint32_t)n : 0;
    return true;
}

static void on_output(struct source *source, uint32_t events) {
    (void)events;
    struct run_output *o = container_of(source, struct run_output, source);
    take(o);
    if (source->fd < 0) step(o->run);
}

/* Somebody the program left behind still holds its pipes: what is in them is taken, nobody is waited for. */
static void on_drain_timer(struct timer *timer) {
    struct run *r = container_of(timer, struct run, timer);
    r->drained = true;
    for (int i = 0; i < 2; i++)
        for (unsigned reads = 0; reads < 256 && r->output[i].source.fd >= 0 && take(&r->output[i]); reads++) {
        }
    step(r);
}

static void kill_group(const struct run *r) {
    kill(-r->pid, SIGKILL);
    kill(r->pid, SIGKILL);
}

static void on_timeout(struct timer *timer) {
    struct run *r = container_of(timer, struct run, timer);
    r->timed_out = true;
    kill_group(r);
}

void run_end_all(void) {
    for (struct run *r = runs; r < runs + RUNS_MAX; r++)
        if (r->used && !r->ended) kill_group(r);
}

static void on_ended(struct child *child, int status) {
    struct run *r = container_of(child, struct run, child);
    r->ended = true;
    r->status = status;
    timer_set(&r->timer, DRAIN_MS, on_drain_timer);
    step(r);
}

/* The strings of a request, NUL-terminated in one mapping, as execve wants them. */
struct strings {
    char *argv[STRINGS_MAX + 1], *env[STRINGS_MAX + 1], program[PATH_MAX];
    char text[];
};

static bool put_strings(const struct request *r, unsigned id, char **list, char **text) {
    struct wire_reader reader;
    struct wire_bytes value;
    size_t count = 0;
    wire_reader_init(&reader, r->payload.data, r->payload.len);
    while (request_each(&reader, id, &value)) {
        if (count == STRINGS_MAX) return false;
        list[count++] = memcpy(*text, value.data, value.len);
        (*text)[value.len] = 0;
        *text += value.len + 1;
    }
    list[count] = NULL;
    return true;
}

_Noreturn static void become(const struct strings *s, const int fds[3], int report) {
    static const struct rlimit no_core = {0, 0};
    char adj[16];
    /* Nobody would take its result: it ends with us, however we end, and is never begun when we have ended already. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != spawner) _exit(127);
    setsid();
    int len = snprintf(adj, sizeof adj, "%d", oom_score_adj);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, adj, (size_t)len) < 0) errno = 0; /* the program then keeps ours */
    setrlimit(RLIMIT_CORE, &no_core);
    if (chdir("/") == 0 && dup2(fds[0], 0) == 0 && dup2(fds[1], 1) == 1 && dup2(fds[2], 2) == 2) {
        k_close_range(3, ~0u, K_CLOSE_RANGE_CLOEXEC);
        execve(s->program, s->argv, s->env);
    }
    int error = errno;
    ssize_t ignored = write(report, &error, sizeof error);
    (void)ignored;
    _exit(127);
}

/* The bytes for stdin as a file: nobody has to feed a pipe. */
static int stdin_of(const struct request *r) {
    const struct wire_bytes *bytes = &r->field[FIELD_RUN_STDIN];
    if (bytes->len == 0) return fcntl(null_fd, F_DUPFD_CLOEXEC, 3);
    int fd = memfd_create("stdin", MFD_CLOEXEC);
    for (uint32_t at = 0; fd >= 0 && at < bytes->len;) {
        ssize_t n = write(fd, bytes->data + at, bytes->len - at);
        if (n <= 0) {
            close(fd);
            return -1;
        }
        at += (uint32_t)n;
    }
    if (fd >= 0) lseek(fd, 0, SEEK_SET);
    return fd;
}

/* Forks and waits until the program runs or cannot: the pipe is closed by execve. -1 with errno. */
static pid_t launch(const struct strings *s, const int fds[3]) {
    int report[2], error = 0;
    if (pipe2(report, O_CLOEXEC) < 0) return -1;
    pid_t pid = fork();
    if (pid == 0) become(s, fds, report[1]);
    int fork_error = errno;
    close(report[1]);
    ssize_t n = 0;
    if (pid > 0)
        while ((n = read(report[0], &error, sizeof error)) < 0 && errno == EINTR) {
        }
    close(report[0]);
    if (pid > 0 && n <= 0) return pid;
    errno = pid < 0 ? fork_error : error;
    return -1;
}

static int start(struct run *run, const struct request *r, const struct strings *s, struct error *err) {
    int fds[3] = {-1, -1, -1};
    int done = -1;
    pid_t pid;
    fds[0] = stdin_of(r);
    bool made = fds[0] >= 0;
    for (int i = 0; i < 2 && made; i++) {
        int ends[2];
        made = pipe2(ends, O_CLOEXEC) == 0;
        if (!made) break;
        fds[1 + i] = ends[1];
        made = fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 &&
               loop_add(&run->output[i].source, ends[0], EPOLLIN, on_output) == 0;
        if (!made) close(ends[0]);
    }
    if (!made)
        error_set(err, errno, "run", "pipes of %s", s->program);
    else if ((pid = launch(s, fds)) < 0)
        error_set(err, errno, "run", "program %s", s->program);
    else {
        run->pid = pid;
        child_watch(&run->child, pid, on_ended);
        done = 0;
    }
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0) close(fds[i]);
    return done;
}

static struct run *allocate(const struct request *r) {
    struct run *run = runs;
    while (run < runs + RUNS_MAX && run->used) run++;
    if (run == runs + RUNS_MAX) return NULL;
    *run = (struct run){.used = true, .tag = r->tag, .max_output = request_u32(r, FIELD_RUN_MAX_OUTPUT)};
    for (int i = 0; i < 2; i++) {
        run->output[i] = (struct run_output){.source = {.fd = -1}, .run = run};
        if (run->max_output == 0) continue;
        size_t size = 2 * (size_t)run->max_output;
        void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        run->output[i].data = data == MAP_FAILED ? NULL : data;
        if (data != MAP_FAILED) unshare_pages(data, size);
    }
    if (run->max_output == 0 || (run->output[0].data && run->output[1].data)) return run;
    release(run);
    return NULL;
}

int run_start(const struct request *r, struct error *err) {
    if (request_u32(r, FIELD_RUN_MAX_OUTPUT) > OUTPUT_MAX)
        return error_set(err, EINVAL, "run", "more than %u bytes of output cannot be kept", OUTPUT_MAX);
    size_t size = sizeof(struct strings) + r->payload.len + 2 * STRINGS_MAX;
    struct strings *s = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED) return error_set(err, ENOMEM, "run", "arguments");
    char *text = s->text;
    int done = -1;
    struct run *run = NULL;
    if (!put_strings(r, FIELD_RUN_ARGV, s->argv, &text) || !put_strings(r, FIELD_RUN_ENV, s->env, &text))
        error_set(err, E2BIG, "run", "more than %u strings", STRINGS_MAX);
    else if (!s->argv[0] || !request_string(r, FIELD_RUN_PROGRAM, s->program, sizeof s->program) ||
             s->program[0] != '/')
        error_set(err, EINVAL, "run", "program is not an absolute path");
    else if (!(run = allocate(r)))
        error_set(err, EAGAIN, "run", "%u programs are running", RUNS_MAX);
    else
        done = start(run, r, s, err);
    if (done == 0)
        timer_set(&run->timer,
                  request_u32(r, FIELD_RUN_TIMEOUT_MS) ? (int64_t)request_u32(r, FIELD_RUN_TIMEOUT_MS)
                                                       : TIMEOUT_DEFAULT_MS,
                  on_timeout);
    else if (run)
        release(run);
    munmap(s, size);
    return done;
}
