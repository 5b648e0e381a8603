/* lines LENGTH MIB: writes so many MiB of lines of LENGTH bytes, newline included, then one line "end". */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char block[1 << 16];

static void put(const char *data, size_t length) {
    while (length > 0) {
        ssize_t written = write(1, data, length);
        if (written <= 0) exit(1);
        data += written;
        length -= (size_t)written;
    }
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    size_t length = strtoul(argv[1], NULL, 10);
    if (length < 1 || length > sizeof block) return 2;
    size_t whole = sizeof block / length * length;
    memset(block, 'x', whole);
    for (size_t i = length - 1; i < whole; i += length) block[i] = '\n';
    for (size_t left = strtoul(argv[2], NULL, 10) << 20; left >= whole; left -= whole) put(block, whole);
    put("end\n", 4);
    return 0;
}
