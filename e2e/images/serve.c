/* serve PORT 4|6 echo|reset|source: a TCP server on the loopback address of one family. echo sends back what it reads until the client
 * has ended, then says "end"; reset breaks every connection after its first byte; source writes until nobody reads. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 20];

static void write_all(int fd, const char *data, ssize_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, (size_t)len);
        if (n <= 0) _exit(1);
        data += n;
        len -= n;
    }
}

static void serve(int fd, const char *how) {
    ssize_t n;
    if (strcmp(how, "reset") == 0) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        n = read(fd, buffer, 1);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(fd);
        _exit(n < 0);
    }
    if (strcmp(how, "source") == 0)
        for (;;) write_all(fd, buffer, sizeof buffer);
    while ((n = read(fd, buffer, sizeof buffer)) > 0) write_all(fd, buffer, n);
    write_all(fd, "end", 3);
    _exit(0);
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    int family = argv[2][0] == '6' ? AF_INET6 : AF_INET, one = 1;
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(atoi(argv[1])), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int listener = socket(family, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
             family == AF_INET ? sizeof v4 : sizeof v6) < 0 ||
        listen(listener, 128) < 0) {
        perror("listen");
        return 1;
    }
    signal(SIGCHLD, SIG_IGN);
    puts("listening");
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && fork() == 0) {
            close(listener);
            serve(fd, argv[3]);
        }
        close(fd);
    }
}
