/* How a container ended, on disk for a daemon that was not there: `<directory>/exits/<container id>`. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct exit_record {
    const char *id;
    int32_t exit_code;
    bool oom;
    uint64_t started_at, exited_at; /* ns of CLOCK_REALTIME; started 0: never */
    const char *message;
};

/* Written under another name and renamed: a reader sees all of it or nothing. */
int exit_record_write(const char *directory, const struct exit_record *record, struct error *err);
void exit_record_remove(const char *directory, const char *id);
