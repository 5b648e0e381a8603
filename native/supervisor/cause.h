/* Why something failed in the supervisor itself (fail.h is the builder's): the cause first, then the object, in one sentence. */
#pragma once
#include <stdarg.h>

#include "build.h"

/* Fills *err with "no such file or directory: <formatted object>" and returns -1, so that a failing function can end with it. */
__attribute__((format(printf, 4, 5))) int cause_set(struct build_error *err, int error, const char *step,
                                                    const char *format, ...);
__attribute__((format(printf, 4, 0))) void cause_vset(struct build_error *err, int error, const char *step,
                                                      const char *format, va_list args);
