#include "loop/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

int tty_output(struct pump *p, int master, int *offered, void (*stopped)(struct pump *)) {
    int ends[2];
    if (fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        close(master);
        return -1;
    }
    if (pump_start(p, master, ends[1], stopped) == 0) {
        *offered = ends[0];
        return 0;
    }
    close(ends[0]);
    return -1;
}

int tty_input(struct pump *p, int master, int *offered, void (*stopped)(struct pump *)) {
    int ends[2];
    int to = fcntl(master, F_DUPFD_CLOEXEC, 3);
    if (to < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        if (to >= 0) close(to);
        return -1;
    }
    if (pump_start(p, ends[0], to, stopped) == 0) {
        *offered = ends[1];
        return 0;
    }
    close(ends[1]);
    return -1;
}

int tty_resize(int master, uint32_t width, uint32_t height) {
    struct winsize size = {.ws_col = (unsigned short)width, .ws_row = (unsigned short)height};
    if (width <= UINT16_MAX && height <= UINT16_MAX) return ioctl(master, TIOCSWINSZ, &size);
    errno = EINVAL;
    return -1;
}
