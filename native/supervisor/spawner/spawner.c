#include "spawner/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/harden.h"
#include "base/kernel.h"
#include "build/credentials.h"
#include "build/launch.h"
#include "loop/child.h"
#include "loop/connection.h"
#include "loop/directory.h"
#include "pod/supervisor.h"
#include "spawner/run.h"

#define SOCKET "supervisor.sock"
#define STREAMS "streams.sock"
#define BACKLOG 16

static struct connection connection;
static int null_fd;

/* Bound by a relative name: the path of a pod's directory may be longer than sun_path. The process is single-threaded. */
static int listen_in(const char *directory, const char *name, int type, struct error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return error_set(err, errno, "spawn", "socket");
    if (chdir(directory) < 0) {
        close(fd);
        return error_set(err, errno, "spawn", "directory of the pod %s", directory);
    }
    mode_t mask = umask(0177);
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    bool done = bound && listen(fd, BACKLOG) == 0;
    int error = errno;
    umask(mask);
    if (bound && !done) unlink(name);
    if (chdir("/") < 0) _exit(1);
    if (done) return fd;
    close(fd);
    return error_set(err, error, "spawn", "socket %s/%s", directory, name);
}

_Noreturn static void become_supervisor(int listener, int streams, const char *directory) {
    setsid();
    connection_drop(&connection);
    /* Before their numbers are given to others: closed later, they would close those. */
    loop_leave();
    child_leave();
    harden_set_title("jangada-pod");
    /* Exactly these descriptors go on: the pod must hold nothing of its siblings or of the daemon. */
    const int goes_on[] = {listener, streams, null_fd};
    int high[3];
    for (int fd = 0; fd < 3; fd++) dup2(null_fd, fd);
    for (int i = 0; i < 3; i++)
        if ((high[i] = fcntl(goes_on[i], F_DUPFD_CLOEXEC, 6)) < 0) _exit(1);
    for (int i = 0; i < 3; i++)
        if (dup3(high[i], 3 + i, O_CLOEXEC) < 0) _exit(1);
    k_close_range(6, ~0u, 0);
    supervisor_main(3, 4, directory, 5);
}

static void spawn(struct connection *c, const struct request *r) {
    struct error err;
    struct wire_writer w;
    char directory[PATH_MAX];
    int listener = -1, streams = -1;
    pid_t pid = -1;
    if (!request_string(r, FIELD_SPAWN_DIRECTORY, directory, sizeof directory) || directory[0] != '/')
        error_set(&err, EINVAL, "spawn", "directory of the pod is not an absolute path");
    else if ((streams = listen_in(directory, STREAMS, SOCK_SEQPACKET, &err)) >= 0 &&
             (listener = listen_in(directory, SOCKET, SOCK_STREAM, &err)) >= 0 && (pid = fork()) < 0)
        error_set(&err, errno, "spawn", "process of the supervisor");
    if (pid == 0) become_supervisor(listener, streams, directory);
    if (listener >= 0) close(listener);
    if (streams >= 0) close(streams);
    if (pid < 0) {
        if (streams >= 0) directory_remove_sockets(directory);
        reply_error(c, r->tag, &err);
        return;
    }
    message_begin(c, &w, REQUEST_SPAWN | MESSAGE_REPLY, r->tag);
    wire_put_u32(&w, FIELD_SPAWN_REPLY_PID, (uint32_t)pid);
    message_send(c, &w);
}

static void hello(struct connection *c, const struct request *r) {
    struct wire_writer w;
    if (request_u32(r, FIELD_HELLO_VERSION) != WIRE_VERSION) {
        reply_errno(c, r->tag, EPROTONOSUPPORT, "hello", "protocol version %u, this spawner speaks %u",
                    request_u32(r, FIELD_HELLO_VERSION), WIRE_VERSION);
        connection_end(c);
        return;
    }
    message_begin(c, &w, REQUEST_HELLO | MESSAGE_REPLY, r->tag);
    wire_put_u32(&w, FIELD_HELLO_REPLY_VERSION, WIRE_VERSION);
    wire_put_u32(&w, FIELD_HELLO_REPLY_PID, (uint32_t)getpid());
    message_send(c, &w);
}

static void run(struct connection *c, const struct request *r) {
    struct error err;
    if (run_start(r, &err) < 0) reply_error(c, r->tag, &err);
}

static void on_request(struct connection *c, const struct request *r) {
    switch (r->type) {
    case REQUEST_HELLO:
        hello(c, r);
        return;
    case REQUEST_SPAWN:
        spawn(c, r);
        return;
    case REQUEST_RUN:
        run(c, r);
        return;
    default:
        reply_errno(c, r->tag, EPROTO, "frame", "not a request to a spawner, type 0x%04x", r->type);
        connection_end(c);
    }
}

static void on_room(struct connection *c) {
    (void)c;
    run_on_room();
}

static void on_closed(struct connection *c) {
    (void)c;
    run_end_all();
    loop_stop();
}

static void on_idle(void) { connection_idle(&connection); }

void spawner_main(int daemon, int the_null_fd, int oom_score_adj) {
    null_fd = the_null_fd;
    connection.on_request = on_request;
    connection.on_room = on_room;
    connection.on_closed = on_closed;
    harden_set_title("jangada-spawner");
    /* With the daemon at once, before what it has still asked for is begun. Not inherited by the supervisors (prctl(2)). */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (loop_init() < 0 || child_init() < 0 || connection_init(&connection) < 0 ||
        connection_open(&connection, daemon) < 0)
        _exit(1);
    /* What holds for the process holds for the supervisors that it forks. */
    credentials_probe();
    launch_probe();
    loop_on_idle(on_idle);
    run_init(&connection, null_fd, oom_score_adj);
    loop_run();
    _exit(0);
}
