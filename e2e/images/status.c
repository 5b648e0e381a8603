/* Prints the kernel's view of this process; an image gives it file capabilities or the setuid bit to see what they bring. */
#include <fcntl.h>
#include <unistd.h>

int main(void) {
    char buffer[4096];
    ssize_t length;
    int file = open("/proc/self/status", O_RDONLY);
    if (file < 0) return 1;
    while ((length = read(file, buffer, sizeof buffer)) > 0)
        if (write(1, buffer, (size_t)length) != length) return 1;
    return 0;
}
