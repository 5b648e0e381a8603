/* The life of a container as its supervisor sees it: states, what is refused in which, deadlines, and a builder that lies. */
#include "loop/child.h"
#include "loop/loop.h"
#include "pod/container.h"
#include "pod/handshake.h"
#include "test/fixture.h"
#include "wire/request.h"

#define PATIENCE_MS 20000

static struct container_host host;
static struct draft d;
static struct error created_error, started_error, err;
static char *layer, *freezer, *frozen_file;
static int created, started, exited, exit_code;
static struct timer patience;

static void on_created(struct container *c, uint32_t tag) {
    (void)tag;
    created_error = c->error;
    created++;
    loop_stop();
}

static void on_started(struct container *c, uint32_t tag) {
    (void)tag;
    started_error = c->error;
    started++;
    loop_stop();
}

static void on_exited(struct container *c) {
    exit_code = c->exit_code;
    exited++;
    loop_stop();
}

static void on_gone(void) {}

static void too_late(struct timer *timer) {
    (void)timer;
    ok(false, "it happens within %d s", PATIENCE_MS / 1000);
    loop_stop();
}

/* Runs the loop until `counter` has grown. */
static void wait_for(const int *counter) {
    int before = *counter;
    timer_set(&patience, PATIENCE_MS, too_late);
    while (*counter == before && patience.at != 0) loop_run();
    timer_clear(&patience);
}

static int request_create(const char *id, const struct wish *w) {
    static uint8_t frame[sizeof d.data + 8192];
    struct wire_writer writer;
    struct request r;
    draft_container(&d, layer, id, w);
    wire_writer_init(&writer, frame, sizeof frame);
    wire_frame_begin(&writer, REQUEST_CREATE, 1);
    wire_put_string(&writer, 1, id);
    wire_put_string(&writer, 2, at("logs/%s.log", id));
    wire_put_u8(&writer, 3, 0);
    wire_put_bytes(&writer, 4, d.data, (uint32_t)d.w.len);
    wire_put_u8(&writer, 5, 0);
    wire_frame_end(&writer);
    if (request_decode(frame, writer.len, &r)) return -1;
    return container_create(&r, id, &err);
}

static struct container *make(const char *id, const struct wish *w) {
    if (!ok(request_create(id, w) == 0, "%s is being created", id)) printf("# %s\n", err.detail);
    wait_for(&created);
    return container_find(id);
}

static void test_life(void) {
    struct wish w = {.script = "exit 3"};
    struct container *c = make("life", &w);
    ok(c && c->state == CONTAINER_CREATED && created_error.error == 0, "it is created");
    ok(request_create("life", &w) < 0 && err.error == EEXIST, "its id is taken");
    ok(container_start(c, 2, &err) == 0, "it is started");
    ok(container_start(c, 3, &err) < 0 && err.error == EBUSY, "but not twice");
    if (!started) wait_for(&started);
    ok(started_error.error == 0, "its program runs");
    if (!exited) wait_for(&exited);
    ok(c->state == CONTAINER_EXITED && exit_code == 3, "it ends with its program's code");
    ok(container_start(c, 4, &err) < 0 && err.error == EBUSY, "what has exited is not started");
    ok(container_signal(c, SIGTERM, &err) == 0, "a signal to it is no error");
    container_kill(c);
    ok(access(at("exits/life"), F_OK) == 0, "its exit is recorded");
    container_remove(c);
    ok(!container_find("life") && access(at("exits/life"), F_OK) < 0, "removed it is unknown, and its record gone");
}

static void test_killed(void) {
    struct wish w = {.script = "sleep 1000"};
    ok(request_create("early", &w) == 0, "a container is killed while it is being created");
    container_kill(container_find("early"));
    wait_for(&created);
    ok(created_error.error != 0 && !container_find("early"), "its creation fails and leaves nothing: %s",
       created_error.detail);
    ok(access(at("logs/early.log"), F_OK) < 0, "not even a log");
    struct container *c = make("waiting", &w);
    container_kill(c);
    wait_for(&exited);
    ok(exit_code == 137 && c->started_at == 0, "killed before its start it has exited with 137");
    container_remove(c);
    c = make("running", &w);
    container_start(c, 2, &err);
    wait_for(&started);
    ok(container_signal(c, 65, &err) < 0 && err.error == EINVAL, "an impossible signal is an error");
    container_kill(c);
    wait_for(&exited);
    ok(exit_code == 137, "killed while it runs");
    container_remove(c);
}

static void test_start_fails(void) {
    struct wish w = {.argv = (const char *[]){"/nonexistent", NULL}};
    struct container *c = make("missing", &w);
    int before = exited;
    container_start(c, 2, &err);
    wait_for(&started);
    ok(started_error.error == ENOENT, "a program that is missing is an error of the start");
    if (exited == before) wait_for(&exited);
    ok(exit_code == 128 && c->state == CONTAINER_EXITED, "and an exit with 128");
    container_remove(c);
}

/* A frozen cgroup holds a builder still wherever it is. */
static void freeze(void) {
    int fd = open(frozen_file, O_WRONLY | O_CLOEXEC);
    ok(fd >= 0 && write(fd, "FROZEN", 6) == 6, "a process that makes no progress");
    close(fd);
}

/* As by its memory limit: what killed it is told by its end, as of a program that had begun. */
static void test_killed_before_its_execve(void) {
    struct wish w = {.script = "sleep 1000", .cgroup = {freezer}};
    struct container *c = make("released", &w);
    int before = exited;
    freeze();
    ok(container_start(c, 2, &err) == 0, "a builder is killed between its release and its execve");
    container_kill(c);
    wait_for(&started);
    if (exited == before) wait_for(&exited);
    ok(exit_code == 137, "it has exited with 137, not with a code of ours: %d", exit_code);
    container_remove(c);
}

static void test_deadlines(void) {
    struct wish w = {.script = "sleep 1000", .cgroup = {freezer}, .limit = {{frozen_file, "FROZEN"}}};
    container_deadlines.create_ms = 200;
    ok(request_create("stuck", &w) == 0, "a builder that makes no progress");
    wait_for(&created);
    ok(created_error.error == ETIMEDOUT && strstr(created_error.detail, "not built within 200 ms"), "is given up: %s",
       created_error.detail);
    ok(!container_find("stuck") && access(freezer, F_OK) < 0, "and leaves neither container nor cgroup");
    container_deadlines.create_ms = 30000;
    container_deadlines.start_ms = 200;
    w.limit[0][0] = NULL;
    struct container *c = make("stuck2", &w);
    int before = exited;
    freeze();
    container_start(c, 2, &err);
    wait_for(&started);
    ok(started_error.error == ETIMEDOUT && strstr(started_error.detail, "not begin within 200 ms"),
       "is given up at its start: %s", started_error.detail);
    if (exited == before) wait_for(&exited);
    ok(exit_code == 128 && access(freezer, F_OK) < 0, "and has exited, its cgroup is gone");
    container_remove(c);
    container_deadlines.start_ms = 10000;
}

static void test_state_directory_gone(void) {
    struct wish w = {.script = "exit 4"};
    struct container *c = make("homeless", &w);
    host.directory = "/nonexistent/pod";
    int before = exited;
    container_start(c, 2, &err);
    wait_for(&started);
    if (exited == before) wait_for(&exited);
    ok(exit_code == 4, "an exit that cannot be recorded is told all the same");
    container_remove(c);
    host.directory = fixture_dir;
}

/* ---- a builder that lies ---- */

static int failures, payloads;
static void count_failure(struct handshake *h) {
    (void)h;
    failures++;
}
static void count_payload(struct handshake *h) {
    (void)h;
    payloads++;
}
static void not_called(struct handshake *h) {
    (void)h;
    ok(false, "nothing else happens");
}

/* What the supervisor takes for its own it kills in the end: a number must not make it kill something else. */
static void test_forged_payload(void) {
    const pid_t forged[] = {getppid(), 2, getpid(), INT32_MAX};
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        struct handshake h = {
            .on_failed = count_failure, .on_payload = count_payload, .on_ready = not_called, .on_executed = not_called};
        struct build_message m = {.type = BUILD_PAYLOAD, .pid = forged[i]};
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return;
        handshake_begin(&h, pair[0], 99999, true, false);
        failures = payloads = 0;
        ok(write(pair[1], &m, sizeof m) == sizeof m, "a builder names process %d as its payload", forged[i]);
        handshake_drain(&h);
        ok(failures == 1 && payloads == 0 && h.error.error == EPROTO, "which is not a child: nothing is believed");
        close(pair[1]);
    }
}

int main(void) {
    if (!fixture_open()) return 1;
    layer = fresh_layer("layer");
    static char paths[3][256];
    const char *name = strrchr(fixture_dir, '/') + 1;
    snprintf(paths[0], 256, "/sys/fs/cgroup/freezer/%s", name);
    snprintf(paths[1], 256, "/sys/fs/cgroup/freezer/%s/c", name);
    snprintf(paths[2], 256, "/sys/fs/cgroup/freezer/%s/c/freezer.state", name);
    freezer = paths[1];
    frozen_file = paths[2];
    host = (struct container_host){.env = fixture_env,
                                   .directory = fixture_dir,
                                   .on_created = on_created,
                                   .on_started = on_started,
                                   .on_exited = on_exited,
                                   .on_gone = on_gone};
    container_init(&host);
    if (loop_init() < 0 || child_init() < 0) return 1;
    test_forged_payload();
    test_life();
    test_killed();
    test_start_fails();
    test_killed_before_its_execve();
    test_deadlines();
    test_state_directory_gone();
    rmdir(paths[0]);
    fixture_remove();
    return done();
}
