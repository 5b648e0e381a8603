#include "build/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/path.h"

#define K_TIOCSPTLCK 0x40045431
#define K_TIOCGPTPEER 0x5441
#define PTY_SLAVE_MAJOR 136

static bool on_devpts(int fd, struct stat *st) {
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && fs.f_type == K_DEVPTS_SUPER_MAGIC && fstat(fd, st) == 0 && S_ISCHR(st->st_mode);
}

/* The multiplexer of the devpts at `dir`. O_PATH cannot be reopened without procfs, so it is opened for real and checked after: opening
 * a device that is not what it claims to be has no effect but on the builder. */
static int open_master(int dir) {
    struct stat st;
    int fd = k_openat2(dir, "ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK,
                       K_RESOLVE_BENEATH | K_RESOLVE_NO_SYMLINKS | K_RESOLVE_NO_MAGICLINKS);
    if (fd < 0) return -1;
    if (!on_devpts(fd, &st) || st.st_rdev != makedev(5, 2) || fcntl(fd, F_SETFL, O_RDWR) < 0) {
        close(fd);
        errno = ENOTTY;
        return -1;
    }
    return fd;
}

static int bind_console(struct builder *b, int slave) {
    int file = openat(b->dev, "console", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int tree = file < 0 ? -1 : k_open_tree(slave, "", AT_EMPTY_PATH | K_OPEN_TREE_CLONE);
    return tree < 0 ? -1 : k_move_mount(tree, file);
}

int terminal_open(struct builder *b, const struct plan_credentials *c, bool console) {
    const struct plan_op *op = plan_find(b->plan, PLAN_TERMINAL);
    struct winsize size = {.ws_col = op->terminal.width, .ws_row = op->terminal.height};
    struct stat st;
    int unlock = 0;
    if (b->devpts < 0) b->devpts = path_no_symlinks(b->root, "/dev/pts", PATH_MAKE_NOTHING);
    b->console = b->devpts < 0 ? -1 : open_master(b->devpts);
    if (b->console < 0 || ioctl(b->console, K_TIOCSPTLCK, &unlock) < 0)
        return error_fail(&b->err, errno, "terminal", "/dev/pts/ptmx", "pty master");
    int slave = ioctl(b->console, K_TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) return error_fail(&b->err, errno, "terminal", "/dev/pts", "pty slave");
    if (!on_devpts(slave, &st) || major(st.st_rdev) != PTY_SLAVE_MAJOR)
        return error_refuse(&b->err, ENOTTY, "not a pty", "terminal", "/dev/pts", "pty slave");
    if ((size.ws_col || size.ws_row) && ioctl(b->console, TIOCSWINSZ, &size) < 0)
        return error_fail(&b->err, errno, "terminal", "/dev/pts", "window size");
    if (c->uid != 0 && fchown(slave, c->uid, (gid_t)-1) < 0)
        return error_fail(&b->err, errno, "terminal", "/dev/pts", "owner of the pty");
    if (console && b->dev >= 0 && bind_console(b, slave) < 0)
        return error_fail(&b->err, errno, "terminal", "/dev/console", "pty slave");
    for (int fd = 0; fd < 3; fd++)
        if (dup2(slave, fd) < 0) return error_fail(&b->err, errno, "terminal", "stdio", "pty slave");
    return 0;
}

int terminal_control(struct error *err) {
    return ioctl(0, TIOCSCTTY, 0) < 0 ? error_fail(err, errno, "terminal", "/dev/pts", "controlling terminal") : 0;
}
