/* flood STDOUT STDERR: writes so many MiB to each, alternately, without a newline. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char block[1 << 16];

static int put(int fd, long *blocks) {
    if (*blocks <= 0) return 0;
    if (write(fd, block, sizeof block) < 0) exit(1);
    --*blocks;
    return 1;
}

int main(int argc, char **argv) {
    long out = argc > 1 ? atol(argv[1]) * 16 : 0;
    long err = argc > 2 ? atol(argv[2]) * 16 : 0;
    memset(block, 'x', sizeof block);
    while (put(1, &out) | put(2, &err)) {
    }
    return 0;
}
