#include "base/loopback.h"

#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int loopback_up(struct error *err) {
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int done = fd < 0 ? -1 : ioctl(fd, SIOCGIFFLAGS, &request);
    if (done == 0) {
        request.ifr_flags |= IFF_UP;
        done = ioctl(fd, SIOCSIFFLAGS, &request);
    }
    int error = errno;
    if (fd >= 0) close(fd);
    return done < 0 ? error_set(err, error, "network", "loopback interface") : 0;
}
