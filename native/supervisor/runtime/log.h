/* What a runtime says went wrong: the last line of its log, `{"level":"error","msg":"…","time":"…"}` (runc, crun: --log-format json). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* The "msg" of the last line of a log in JSON; false when there is none. */
bool runtime_log_message(const char *text, size_t len, char *out, size_t size);
