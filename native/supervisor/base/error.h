/* Why something failed. One shape for all: the cause first, then the object, then (in the builder) what it was to be. */
#pragma once
#include <stdarg.h>
#include <string.h>

struct error {
    int error;        /* errno; 0: none */
    char step[32];    /* name of the request or of the plan operation: "mount" */
    char detail[216]; /* "no such file or directory: /srv/data (mount source)" */
};

/* Each fills *err and returns -1, so that a failing function can end with it. */

/* "no such file or directory: <formatted object>" */
__attribute__((format(printf, 4, 5))) int error_set(struct error *err, int error, const char *step, const char *format,
                                                    ...);
__attribute__((format(printf, 4, 0))) int error_vset(struct error *err, int error, const char *step, const char *format,
                                                     va_list args);

/* "no such file or directory: <object> (<role>)" */
int error_fail(struct error *err, int error, const char *step, const char *object, const char *role);

/* The same with a cause of our own in place of the errno's text. */
int error_refuse(struct error *err, int error, const char *cause, const char *step, const char *object,
                 const char *role);
