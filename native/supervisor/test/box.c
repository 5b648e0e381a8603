#include "test/box.h"

#include <sys/mman.h>
#include <termios.h>

struct container box;
int inside[3];
uint8_t pattern[MUCH], received[MUCH];
struct error err;
int fds[OFFER_FDS] = {-1, -1, -1};

void open_box(bool with_stdin) {
    struct build_io io;
    int sync;
    memset(&box, 0, sizeof box);
    strcpy(box.id, "box");
    container_io_init(&box, 0);
    box.state = CONTAINER_RUNNING;
    box.process.handshake.console = -1;
    if (container_io_open(&box, false, with_stdin, fixture_env.null_fd, &io, &sync, &err) < 0) perror("pipes");
    for (int i = 0; i < 3; i++) {
        inside[i] = fcntl(io.stdio[i], F_DUPFD_CLOEXEC, 3);
        fcntl(inside[i], F_SETFL, O_NONBLOCK);
    }
    container_io_close_theirs(&io, fixture_env.null_fd);
    close(sync);
    box.log.fd = memfd_create("log", MFD_CLOEXEC);
}

void open_terminal(void) {
    struct termios raw;
    memset(&box, 0, sizeof box);
    strcpy(box.id, "box");
    container_io_init(&box, 0);
    box.state = CONTAINER_RUNNING;
    box.terminal = true;
    int master = box.process.handshake.console = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) perror("pty");
    inside[1] = inside[2] = -1;
    inside[0] = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    tcgetattr(inside[0], &raw);
    cfmakeraw(&raw);
    tcsetattr(inside[0], TCSANOW, &raw);
    if (container_io_console(&box) < 0) perror("console");
}

void reopen_terminal(void) {
    inside[0] = open(ptsname(box.output[0].source.fd), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
}

void close_inside(void) {
    for (int i = 0; i < 3; i++)
        if (inside[i] >= 0) close(inside[i]);
    inside[0] = inside[1] = inside[2] = -1;
}

void end_box(void) {
    close_inside();
    turn();
    container_io_finish(&box);
    turn();
}

int ask(bool in, bool out, bool errors) {
    static uint8_t frame[128];
    static uint32_t tag;
    struct wire_writer w;
    struct request r;
    wire_writer_init(&w, frame, sizeof frame);
    wire_frame_begin(&w, REQUEST_ATTACH, ++tag);
    wire_put_string(&w, 1, "box");
    wire_put_u8(&w, 2, in);
    wire_put_u8(&w, 3, out);
    wire_put_u8(&w, 4, errors);
    wire_frame_end(&w);
    if (request_decode(frame, w.len, &r)) return -1;
    return attach_open(&r, &box, &err);
}

bool attach(bool in, bool out, bool errors, int got[OFFER_FDS]) {
    if (ask(in, out, errors) != 1) return false;
    struct answer a = answer();
    return a.type == (REQUEST_ATTACH | MESSAGE_REPLY) && fetch(a.number, got) == 3;
}

size_t drain(int fd, uint8_t *into, size_t at) {
    ssize_t n;
    while ((n = read(fd, into + at, MUCH - at)) > 0) at += (size_t)n;
    return at;
}

size_t fill(int fd, size_t from, size_t to, struct fast *client) {
    size_t at = from;
    for (int idle = 0; idle < 3;) {
        ssize_t n = at < to ? write(fd, pattern + at, to - at) : 0;
        if (n > 0) at += (size_t)n;
        idle = n > 0 ? 0 : idle + 1;
        turn();
        if (client) client->got = drain(client->fds[1], client->text, client->got);
    }
    return at;
}

size_t logged(void) {
    static char text[2 * MUCH];
    ssize_t n = pread(box.log.fd, text, sizeof text, 0);
    size_t bytes = 0;
    for (char *line = text; line < text + n;) {
        char *stop = memchr(line, '\n', (size_t)(text + n - line)), *mark = strchr(line, ' ');
        if (!stop || !mark || !(mark = strchr(mark + 1, ' '))) break;
        bytes += (size_t)(stop - (mark + 3)) + (mark[1] == 'F');
        line = stop + 1;
    }
    return bytes;
}

void box_init(void) {
    attach_init(&connection);
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = i % 100 == 99 ? '\n' : (uint8_t)('0' + i / 100 % 70);
}
