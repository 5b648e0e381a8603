#include "fail.h"

#include <ctype.h>
#include <stdio.h>

int build_refuse(struct build_error *err, int error, const char *cause, const char *step, const char *object,
                 const char *role) {
    err->error = error;
    snprintf(err->step, sizeof err->step, "%s", step);
    snprintf(err->detail, sizeof err->detail, "%c%s: %s (%s)", tolower((unsigned char)cause[0]), cause + 1, object,
             role);
    return -1;
}

int build_fail(struct build_error *err, int error, const char *step, const char *object, const char *role) {
    return build_refuse(err, error, strerror(error), step, object, role);
}
