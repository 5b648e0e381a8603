/* jangada-pod: see native/README.md. One program, two roles: `jangada-pod spawner`, and the supervisors that it forks; and a question
 * that only it can answer, `jangada-pod probe-user-namespace DIRECTORY`. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/harden.h"
#include "base/kernel.h"
#include "base/privileges.h"
#include "build/mount.h"
#include "build/userns.h"
#include "rootless/rootless.h"
#include "spawner/spawner.h"

static int usage(void) {
    fputs("usage: jangada-pod spawner    (started by the jangada daemon, with a unix stream socket on descriptor 0)\n"
          "       jangada-pod probe-user-namespace DIRECTORY\n",
          stderr);
    return 2;
}

static bool is_stream_socket(int fd) {
    int domain = 0, type = 0;
    socklen_t size = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* Says on stdout why this host cannot give pods a user namespace whose layers lie in `directory`; nothing when it can. */
static int probe(const char *directory) {
    const struct id_map map = {65536, 65536, 65536};
    struct error err;
    int userns = userns_make(&map, CLONE_NEWIPC, NULL, NULL, &err);
    if (userns < 0 || mount_can_idmap(userns, directory, &err) < 0) printf("%s", err.detail);
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "rootless") == 0) return rootless_main(argc, argv);
    if (argc == 3 && strcmp(argv[1], "probe-user-namespace") == 0) return probe(argv[2]);
    if (argc != 2 || strcmp(argv[1], "spawner") != 0 || !is_stream_socket(0)) return usage();
    harden_seal_program(argv);
    harden_remember_title(argv);
    harden_process();
    harden_small_static_pages();
    k_close_range(3, ~0u, 0);
    int null_fd = harden_open_null();
    if (null_fd < 0) {
        perror("jangada-pod: /dev/null");
        return 1;
    }
    privileges_of_host();
    int oom_score_adj = harden_oom_score();
    int daemon = fcntl(0, F_DUPFD_CLOEXEC, 3);
    if (daemon < 0 || fcntl(daemon, F_SETFL, O_NONBLOCK) < 0 || dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0) {
        perror("jangada-pod: descriptors");
        return 1;
    }
    spawner_main(daemon, null_fd, oom_score_adj);
}
