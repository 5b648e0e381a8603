#include "cause.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void cause_vset(struct build_error *err, int error, const char *step, const char *format, va_list args) {
    const char *cause = strerror(error);
    err->error = error;
    snprintf(err->step, sizeof err->step, "%s", step);
    int used = snprintf(err->detail, sizeof err->detail, "%c%s: ", tolower((unsigned char)cause[0]), cause + 1);
    vsnprintf(err->detail + used, sizeof err->detail - (size_t)used, format, args);
}

int cause_set(struct build_error *err, int error, const char *step, const char *format, ...) {
    va_list args;
    va_start(args, format);
    cause_vset(err, error, step, format, args);
    va_end(args);
    return -1;
}
