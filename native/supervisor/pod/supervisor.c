#include "pod/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "cgroup/cgroup.h"
#include "loop/child.h"
#include "loop/connection.h"
#include "loop/directory.h"
#include "loop/offer.h"
#include "plan/plan.h"
#include "pod/attach.h"
#include "pod/container.h"
#include "pod/dial.h"
#include "pod/exec.h"
#include "pod/further.h"
#include "pod/placeholder.h"
#include "pod/sandbox.h"
#include "pod/stream_exec.h"
#include "pod/tell.h"

#define SHUTDOWN_MS 10000

static struct connection connection;
static struct source listening;
static struct sandbox sandbox;
static struct container_host host;
static char directory[PATH_MAX];
static struct timer shutdown_timer;
static uint32_t shutdown_tag;
static bool shutting_down;

/* ---- shutdown ---- */

_Noreturn static void leave(void) {
    sandbox_unmake(&sandbox);
    directory_remove_sockets(directory);
    if (connection_is_open(&connection) && shutdown_tag) {
        reply_empty(&connection, REQUEST_SHUTDOWN, shutdown_tag);
        connection_end(&connection);
    }
    _exit(0);
}

static void shutdown_step(void) {
    if (shutting_down && !container_any_is_live()) leave();
}

static void on_shutdown_timer(struct timer *timer) {
    (void)timer;
    leave();
}

/* ---- a pod whose directory is gone ---- */

/* Nobody can ever connect again, and without containers there is nothing to wait for. */
static void leave_if_unreachable(void) {
    if (connection_is_open(&connection) || shutting_down || container_any_is_live()) return;
    if (!directory_has_socket(directory)) leave();
}

static void on_gone(void) {
    shutdown_step();
    leave_if_unreachable();
}

/* ---- requests ---- */

static void hello(const struct request *r) {
    struct wire_writer w;
    if (request_u32(r, FIELD_HELLO_VERSION) != WIRE_VERSION) {
        reply_errno(&connection, r->tag, EPROTONOSUPPORT, "hello", "protocol version %u, this supervisor speaks %u",
                    request_u32(r, FIELD_HELLO_VERSION), WIRE_VERSION);
        connection_end(&connection);
        return;
    }
    message_begin(&connection, &w, REQUEST_HELLO | MESSAGE_REPLY, r->tag);
    wire_put_u32(&w, FIELD_HELLO_REPLY_VERSION, WIRE_VERSION);
    wire_put_u32(&w, FIELD_HELLO_REPLY_PID, (uint32_t)getpid());
    wire_put_string(&w, FIELD_HELLO_REPLY_FEATURES, "POD_INIT");
    wire_put_string(&w, FIELD_HELLO_REPLY_FEATURES, "CANCEL_EXEC");
    message_send(&connection, &w);
}

/* Of what there is now containers are made. */
static void reply_init(const struct request *r, int done, const struct error *err) {
    if (done < 0) {
        reply_error(&connection, r->tag, err);
        return;
    }
    int null_fd = host.env.null_fd;
    host.env = sandbox.env;
    host.env.null_fd = null_fd;
    tell_pid(r->type, r->tag, sandbox.init.pid);
}

static void make_sandbox(const struct request *r) {
    struct error err;
    reply_init(r, sandbox_make(&sandbox, r, &err), &err);
}

static void share_pid(const struct request *r) {
    struct error err;
    reply_init(r, sandbox_share_pid(&sandbox, &(struct plan){0}, &err), &err);
}

static void start_pod_init(const struct request *r) {
    struct error err = {0};
    struct plan plan;
    int done = plan_decode(&r->field[FIELD_POD_INIT_PLAN], PLAN_OF_POD_INIT, &plan, &err);
    if (done == 0) {
        done = sandbox_share_pid(&sandbox, &plan, &err);
        plan_free(&plan);
    }
    reply_init(r, done, &err);
}

static void set_sysctls(const struct request *r) {
    struct error err;
    if (sandbox_sysctls(&sandbox, r, &err) < 0)
        reply_error(&connection, r->tag, &err);
    else
        reply_empty(&connection, r->type, r->tag);
}

static void create(const struct request *r) {
    struct error err = {0};
    char id[CONTAINER_ID_MAX + 1];
    if (!request_container_id(r, id))
        error_set(&err, EINVAL, "create", "container id");
    else if (!sandbox.ready)
        error_set(&err, ENXIO, "create", "the pod has no namespaces yet: SANDBOX comes first");
    else if (container_create(r, id, &err) == 0)
        return; /* on_created answers */
    reply_error(&connection, r->tag, &err);
}

static void hold(const struct request *r) {
    struct error err = {0};
    char id[CONTAINER_ID_MAX + 1];
    bool named = request_container_id(r, id);
    pid_t pid = named ? placeholder_begin(id, &err) : error_set(&err, EINVAL, "hold", "container id");
    if (pid < 0)
        reply_error(&connection, r->tag, &err);
    else
        tell_pid(REQUEST_HOLD, r->tag, pid);
}

static void release(const struct request *r) {
    char id[CONTAINER_ID_MAX + 1];
    if (request_container_id(r, id)) placeholder_end(id);
    reply_empty(&connection, r->type, r->tag);
}

/* Of a container that nobody else hears of yet. */
static void go_on(const struct request *r) {
    struct error err;
    char id[CONTAINER_ID_MAX + 1];
    struct container *c = request_container_id(r, id) ? container_find(id) : NULL;
    int done = c ? container_continue(c, request_u8(r, FIELD_CONTINUE_FAILED), &err)
                 : error_set(&err, ESRCH, "continue", "container id");
    if (done < 0)
        reply_error(&connection, r->tag, &err);
    else
        reply_empty(&connection, r->type, r->tag);
}

/* Requests about one container. 0: done, answer at once; 1: answered later; -1: *err. */
static int start(const struct request *r, struct container *c, struct error *err) {
    return container_start(c, r->tag, err) < 0 ? -1 : 1;
}

static int send_signal(const struct request *r, struct container *c, struct error *err) {
    int signal = request_u8(r, FIELD_SIGNAL_SIGNAL);
    if (signal < 1 || signal > (int)LIMIT_SIGNAL) return error_set(err, EINVAL, "signal", "signal %d", signal);
    return container_signal(c, signal, err);
}

static int kill_container(const struct request *r, struct container *c, struct error *err) {
    (void)r, (void)err;
    container_kill(c);
    return 0;
}

static int reopen_log(const struct request *r, struct container *c, struct error *err) {
    (void)r;
    if (c->state != CONTAINER_CREATED && c->state != CONTAINER_STARTING && c->state != CONTAINER_RUNNING)
        return error_set(err, EBUSY, "log", "container is not running: %s", c->id);
    return log_reopen(&c->log, err);
}

static int update(const struct request *r, struct container *c, struct error *err) {
    if (!container_is_live(c)) return error_set(err, EBUSY, "update", "container is not running: %s", c->id);
    return cgroup_update(&r->field[FIELD_UPDATE_PLAN], err);
}

static int remove_container(const struct request *r, struct container *c, struct error *err) {
    (void)r;
    if (c->state != CONTAINER_EXITED) return error_set(err, EBUSY, "remove", "container has not exited: %s", c->id);
    container_remove(c);
    return 0;
}

static void list(const struct request *r) { tell_list(r->tag, &sandbox); }

static void shut_down(const struct request *r) {
    shutdown_tag = r->tag;
    shutting_down = true;
    timer_set(&shutdown_timer, SHUTDOWN_MS, on_shutdown_timer);
    for (struct container *c = container_next(NULL); c; c = container_next(c)) container_kill(c);
    exec_abandon_all();
    shutdown_step();
}

struct handler {
    uint16_t type;
    void (*of_pod)(const struct request *);
    int (*of_container)(const struct request *, struct container *, struct error *);
    bool absent_is_done; /* there need be no such container any more */
};

static int ask_container(const struct handler *handler, const struct request *r, struct error *err) {
    char id[CONTAINER_ID_MAX + 1];
    if (!request_container_id(r, id)) return error_set(err, EINVAL, "request", "container id");
    struct container *c = container_find(id);
    if (!c && handler->absent_is_done) return 0;
    if (!c || c->state == CONTAINER_CREATING || c->create_failed)
        return error_set(err, ESRCH, "request", "no container %s in this pod", id);
    return handler->of_container(r, c, err);
}

static void about_container(const struct handler *handler, const struct request *r) {
    struct error err = {0};
    int done = ask_container(handler, r, &err);
    if (done < 0)
        reply_error(&connection, r->tag, &err);
    else if (done == 0)
        reply_empty(&connection, r->type, r->tag);
}

static const struct handler handlers[] = {
    {REQUEST_HELLO, .of_pod = hello},
    {REQUEST_SANDBOX, .of_pod = make_sandbox},
    {REQUEST_SHARE_PID, .of_pod = share_pid},
    {REQUEST_POD_INIT, .of_pod = start_pod_init},
    {REQUEST_SYSCTLS, .of_pod = set_sysctls},
    {REQUEST_CREATE, .of_pod = create},
    {REQUEST_START, .of_container = start},
    {REQUEST_SIGNAL, .of_container = send_signal},
    {REQUEST_KILL, .of_container = kill_container},
    {REQUEST_EXEC, .of_container = exec_start},
    {REQUEST_REOPEN_LOG, .of_container = reopen_log},
    {REQUEST_UPDATE, .of_container = update},
    {REQUEST_REMOVE, .of_container = remove_container, .absent_is_done = true},
    {REQUEST_LIST, .of_pod = list},
    {REQUEST_SHUTDOWN, .of_pod = shut_down},
    {REQUEST_HOLD, .of_pod = hold},
    {REQUEST_RELEASE, .of_pod = release},
    {REQUEST_CONTINUE, .of_pod = go_on},
    {REQUEST_OPEN_EXEC, .of_container = stream_exec_open},
    {REQUEST_WAIT_EXEC, .of_pod = stream_exec_wait},
    {REQUEST_ATTACH, .of_container = attach_open},
    {REQUEST_RESIZE, .of_container = stream_exec_resize},
    {REQUEST_CLOSE_STDIN, .of_container = attach_close_stdin},
    {REQUEST_CONNECT, .of_pod = dial_start},
    {REQUEST_CANCEL_EXEC, .of_pod = exec_cancel},
    {REQUEST_FORGET_EXEC, .of_pod = stream_exec_forget},
};

static void on_request(struct connection *c, const struct request *r) {
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        if (handlers[i].type != r->type) continue;
        if (shutting_down)
            reply_errno(c, r->tag, ESHUTDOWN, "request", "the pod is being shut down");
        else if (handlers[i].of_pod)
            handlers[i].of_pod(r);
        else
            about_container(&handlers[i], r);
        return;
    }
    reply_errno(c, r->tag, EPROTO, "frame", "not a request to a supervisor, type 0x%04x", r->type);
    connection_end(c);
}

static void on_room(struct connection *c) {
    (void)c;
    exec_on_room();
}

/* The daemon died or was replaced: containers and their logs go on, what only it waited for does not. */
static void on_closed(struct connection *c) {
    (void)c;
    shutdown_tag = 0;
    container_forget_tags();
    placeholder_end_all();
    exec_abandon_all();
    stream_exec_forget_all();
    dial_forget();
    leave_if_unreachable();
}

static void on_idle(void) {
    log_idle();
    exec_idle();
    plan_idle();
    stream_exec_idle();
    attach_idle();
    leave_if_unreachable();
    connection_idle(&connection);
}

static void on_connect(struct source *source, uint32_t events) {
    (void)events;
    struct ucred peer;
    socklen_t size = sizeof peer;
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid != geteuid()) {
        close(fd);
        return;
    }
    connection_close(&connection);
    if (connection_open(&connection, fd) < 0) close(fd);
}

void supervisor_main(int listener, int streams, const char *the_directory, int null_fd) {
    snprintf(directory, sizeof directory, "%s", the_directory);
    sandbox_init(&sandbox);
    host = (struct container_host){
        .env = {.empty_mntns = -1, .null_fd = null_fd, .pod_pidns = -1, .userns = -1},
        .directory = directory,
        .on_creating = tell_creating,
        .on_created = tell_created,
        .on_started = tell_started,
        .on_exited = tell_exited,
        .on_gone = on_gone,
    };
    container_init(&host);
    tell_init(&connection);
    further_init(&host.env);
    exec_init(&connection);
    stream_exec_init(&connection);
    attach_init(&connection);
    dial_init(&connection, &sandbox.ready);
    connection.on_request = on_request;
    connection.on_room = on_room;
    connection.on_closed = on_closed;
    /* Not inherited from the spawner, prctl(2). */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || loop_init() < 0 || child_init() < 0 ||
        connection_init(&connection) < 0 || loop_add(&listening, listener, EPOLLIN, on_connect) < 0 ||
        offers_init(streams) < 0)
        _exit(1);
    directory_watch(directory, leave_if_unreachable);
    loop_on_idle(on_idle);
    loop_run();
    _exit(0);
}
