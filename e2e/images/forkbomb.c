/* Forks until the kernel refuses, and goes on trying; says once how many processes it has become. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
    long children = 0;
    int refused = 0;
    for (;;) {
        pid_t child = fork();
        if (child == 0) {
            for (;;) pause();
        } else if (child > 0) {
            children++;
        } else if (!refused) {
            refused = 1;
            printf("refused after %ld children: %s\n", children, strerror(errno));
            fflush(stdout);
        } else {
            usleep(1000);
        }
    }
}
