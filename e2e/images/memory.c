/* Allocates and touches as many MiB as its argument says, then waits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    long wanted = argc > 1 ? atol(argv[1]) : 1024;
    for (long mebibyte = 0; mebibyte < wanted; mebibyte++) {
        char *block = malloc(1 << 20);
        if (!block) return 1;
        memset(block, 0xa5, 1 << 20);
    }
    printf("touched %ld MiB\n", wanted);
    fflush(stdout);
    for (;;) pause();
}
