/* One shape for every error of the builder: the cause, then the object, then what it was to be. */
#pragma once
#include <string.h>

#include "build.h"

/* Fills *err from `error` (an errno) and returns -1: "no such file or directory: /srv/data (mount source)". */
int build_fail(struct build_error *err, int error, const char *step, const char *object, const char *role);

/* The same with a cause of our own in place of the errno's text. */
int build_refuse(struct build_error *err, int error, const char *cause, const char *step, const char *object,
                 const char *role);
