#include "pod/container_io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/give_back.h"
#include "base/member.h"
#include "base/unshared.h"
#include "build/env.h"
#include "loop/tty.h"
#include "pod/attach.h"

/* pipe(7): a pipe has 64 KiB unless asked for more, and 1 MiB is the most. Who has filled half of it at once writes faster than it is
 * read, and a larger one means fewer wake-ups; the many that say little need not have its slots. */
#define MUCH_AT_ONCE (32 << 10)
#define PIPE_MAX LOG_READ_MAX
#define REST_READS 16 /* more than a pipe holds: whoever goes on writing is not waited for */

static uint8_t tails[CONTAINERS_MAX][2][LOG_LINE_MAX] UNSHARED;

void container_io_unshare(void) { UNSHARE_ARRAY(tails); }

void container_io_init(struct container *c, size_t index) {
    static const char *const names[] = {"stdout", "stderr"};
    for (int i = 0; i < 2; i++) {
        c->output[i].source.fd = -1;
        c->output[i].container = c;
        c->output[i].log = (struct log_stream){.name = names[i], .tail = tails[index][i]};
    }
    c->stdin_fd = -1;
    c->log.fd = -1;
}

/* At the user's limit of pipe pages, or of a terminal, it stays as it is. */
static void widen(struct output *output) {
    output->widened = true;
    (void)fcntl(output->source.fd, F_SETPIPE_SZ, PIPE_MAX);
}

static void on_hangup_over(struct timer *timer) {
    struct output *output = container_of(timer, struct output, timer);
    container_io_resume(output->container, (int)(output - output->container->output));
}

/* A pty's master answers EIO while nobody has its slave open. That need not last, and closing it would hang up on who comes back. */
static void wait_for_terminal(struct output *output) {
    output->hung_up = true;
    loop_pause(&output->source);
    timer_set(&output->timer, TTY_HANGUP_MS, on_hangup_over);
}

static void on_output(struct source *source, uint32_t events) {
    (void)events;
    struct output *output = container_of(source, struct output, source);
    struct container *c = output->container;
    const uint8_t *text;
    size_t most = attach_is_watched(c) ? ATTACH_WRITE_MAX : LOG_READ_MAX;
    ssize_t n = log_copy(&c->log, &output->log, source->fd, most, &text);
    if (n >= MUCH_AT_ONCE && !output->widened) widen(output);
    if (n > 0 && !attach_write(c, (int)(output - c->output), text, (size_t)n)) loop_pause(source);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) return;
    if (n < 0 && errno == EIO && c->terminal && c->state != CONTAINER_ENDING) {
        wait_for_terminal(output);
        return;
    }
    loop_close(source);
    container_io_closed(c);
}

static int open_output(struct output *output, int fd) {
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) return -1;
    return loop_add(&output->source, fd, EPOLLIN, on_output);
}

static int open_pipes(struct container *c, bool with_stdin, struct build_io *io) {
    int ends[2];
    if (with_stdin) {
        if (pipe2(ends, O_CLOEXEC) < 0) return -1;
        io->stdio[0] = ends[0];
        c->stdin_fd = ends[1];
        if (fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0) return -1;
    }
    for (int i = 0; i < 2; i++) {
        if (pipe2(ends, O_CLOEXEC) < 0) return -1;
        io->stdio[1 + i] = ends[1];
        if (open_output(&c->output[i], ends[0]) < 0) {
            close(ends[0]);
            return -1;
        }
    }
    return 0;
}

void container_io_close_theirs(struct build_io *io, int null_fd) {
    for (int i = 0; i < 3; i++)
        if (io->stdio[i] >= 0 && io->stdio[i] != null_fd) close(io->stdio[i]);
    if (io->sync >= 0) close(io->sync);
}

int container_io_open(struct container *c, bool terminal, bool with_stdin, int null_fd, struct build_io *io, int *sync,
                      struct error *err) {
    int pair[2];
    *io = (struct build_io){.stdio = {null_fd, null_fd, null_fd}, .sync = -1, .terminal = terminal};
    if ((terminal || open_pipes(c, with_stdin, io) == 0) &&
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0) {
        *sync = pair[0];
        io->sync = pair[1];
        return 0;
    }
    int error = errno;
    container_io_close_theirs(io, null_fd);
    return error_set(err, error, "build", "pipes of container %s", c->id);
}

int container_io_console(struct container *c) {
    int fd = c->process.handshake.console;
    c->process.handshake.console = -1;
    if (open_output(&c->output[0], fd) == 0) return 0;
    close(fd);
    return -1;
}

void container_io_resume(struct container *c, int stream) {
    struct source *source = &c->output[stream].source;
    timer_clear(&c->output[stream].timer);
    c->output[stream].hung_up = false;
    if (loop_resume(source) == 0) return;
    loop_close(source);
    container_io_closed(c);
}

static bool waits(const struct output *output) { return output->source.paused && !output->hung_up; }

bool container_io_waits(const struct container *c) { return waits(&c->output[0]) || waits(&c->output[1]); }

void container_io_ending(struct container *c) {
    for (int i = 0; i < 2; i++)
        if (c->output[i].hung_up) container_io_resume(c, i);
}

bool container_io_is_open(const struct container *c) {
    return c->output[0].source.fd >= 0 || c->output[1].source.fd >= 0;
}

void container_io_discard(struct container *c) {
    for (int i = 0; i < 2; i++) {
        timer_clear(&c->output[i].timer);
        loop_close(&c->output[i].source);
    }
    if (c->stdin_fd >= 0) close(c->stdin_fd);
    c->stdin_fd = -1;
    if (c->process.handshake.console >= 0) close(c->process.handshake.console);
    c->process.handshake.console = -1;
}

/* An output that waits for somebody attached: the log does not lose what is still in the pipe. */
static void take_rest(struct container *c, int stream) {
    struct output *output = &c->output[stream];
    const uint8_t *text;
    for (int reads = 0; output->source.paused && reads < REST_READS; reads++)
        if (log_copy(&c->log, &output->log, output->source.fd, LOG_READ_MAX, &text) <= 0) return;
}

void container_io_finish(struct container *c) {
    for (int i = 0; i < 2; i++) take_rest(c, i);
    attach_finish(c);
    for (int i = 0; i < 2; i++) {
        log_finish(&c->log, &c->output[i].log);
        give_back(c->output[i].log.tail, LOG_LINE_MAX);
    }
    container_io_discard(c);
    log_close(&c->log);
}

int container_resize(struct container *c, uint32_t width, uint32_t height, struct error *err) {
    if (!c->terminal) return error_set(err, ENOTTY, "resize", "container %s", c->id);
    if (c->output[0].source.fd < 0 || tty_resize(c->output[0].source.fd, width, height) == 0) return 0;
    return error_set(err, errno, "resize", "terminal of %u x %u of container %s", width, height, c->id);
}
