// Standard input, where every stream of a stranger comes from.
#pragma once
#include <cstddef>
#include <cstdint>
#include <unistd.h>

#include "failure.h"

// 0 at the end.
inline size_t read_input(uint8_t *data, size_t size) {
    ssize_t got;
    do got = read(STDIN_FILENO, data, size);
    while (got < 0 && errno == EINTR);
    if (got < 0) local_failure(errno, "compressed stream on standard input");
    return static_cast<size_t>(got);
}
