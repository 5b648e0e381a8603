#include "base/error.h"

#include <ctype.h>
#include <stdio.h>

/* Fills in all but the object; where that goes. */
static char *begin(struct error *err, int error, const char *cause, const char *step, size_t *room) {
    err->error = error;
    snprintf(err->step, sizeof err->step, "%s", step);
    size_t used =
        (size_t)snprintf(err->detail, sizeof err->detail, "%c%s: ", tolower((unsigned char)cause[0]), cause + 1);
    if (used >= sizeof err->detail) used = sizeof err->detail - 1;
    *room = sizeof err->detail - used;
    return err->detail + used;
}

int error_vset(struct error *err, int error, const char *step, const char *format, va_list args) {
    size_t room;
    char *object = begin(err, error, strerror(error), step, &room);
    vsnprintf(object, room, format, args);
    return -1;
}

int error_set(struct error *err, int error, const char *step, const char *format, ...) {
    va_list args;
    va_start(args, format);
    error_vset(err, error, step, format, args);
    va_end(args);
    return -1;
}

int error_refuse(struct error *err, int error, const char *cause, const char *step, const char *object,
                 const char *role) {
    size_t room;
    char *to = begin(err, error, cause, step, &room);
    snprintf(to, room, "%s (%s)", object, role);
    return -1;
}

int error_fail(struct error *err, int error, const char *step, const char *object, const char *role) {
    return error_refuse(err, error, strerror(error), step, object, role);
}
