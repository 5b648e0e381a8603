#include "loop/directory.h"

#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "loop/loop.h"

static const char *const sockets[] = {"supervisor.sock", "streams.sock"};
static struct source watch;
static void (*on_changed)(void);

static const char *path_of(const char *directory, const char *socket) {
    static char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", directory, socket);
    return path;
}

bool directory_has_socket(const char *directory) { return access(path_of(directory, sockets[0]), F_OK) == 0; }

void directory_remove_sockets(const char *directory) {
    for (int i = 0; i < 2; i++) unlink(path_of(directory, sockets[i]));
}

static void on_event(struct source *source, uint32_t events) {
    char names[4096];
    (void)events;
    if (read(source->fd, names, sizeof names) > 0) on_changed();
}

void directory_watch(const char *directory, void (*changed)(void)) {
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) return;
    on_changed = changed;
    if (inotify_add_watch(fd, directory, IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF) < 0 ||
        loop_add(&watch, fd, EPOLLIN, on_event) < 0)
        close(fd);
}
