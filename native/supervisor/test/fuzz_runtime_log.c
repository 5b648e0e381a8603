/* A runtime's log carries words of the image: whatever is in it, the reading stays inside of it and the message is bounded text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char out[32];
    if (runtime_log_message((const char *)data, size, out, sizeof out) && !memchr(out, 0, sizeof out)) abort();
    return 0;
}
