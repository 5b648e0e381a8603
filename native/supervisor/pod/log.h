/* A container's log in the CRI format: `<RFC3339Nano> <stdout|stderr> <P|F> <text>\n`. */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

#define LOG_LINE_MAX 16384u /* longer lines are written as P entries of this size and a last F */
#define LOG_PREFIX_MAX 48u
#define LOG_READ_MAX (1u << 20) /* at most this much at once: a whole pipe */

struct log_file {
    int fd;        /* -1: no log */
    uint64_t lost; /* lines that a full disk took, since the last one that could be written */
    int lost_error;
    bool torn; /* the file ends in the middle of a line */
    char path[PATH_MAX];
};

/* One of the two streams of a container; `tail` is text whose end has not come yet. */
struct log_stream {
    const char *name; /* "stdout" or "stderr" */
    uint8_t *tail;    /* LOG_LINE_MAX bytes */
    uint32_t tail_len;
};

/* Keeps what is copied from children of this process. */
void log_init(void);

/* Opens log->path, making missing directories (0755). An empty path means no log. The file must be a regular file of ours with one
 * name, reached without a symlink: a pod may be able to write to the directory. */
int log_open(struct log_file *log, struct error *err);

/* Opens the path anew (after rotation); on failure the old file stays. */
int log_reopen(struct log_file *log, struct error *err);
void log_close(struct log_file *log);

/* Reads once, at most `most` bytes, from the non-blocking `fd` and writes complete lines. Like read: bytes, 0 at the end, -1 with errno.
 * What was read is at *text until the next call. */
ssize_t log_copy(struct log_file *log, struct log_stream *stream, int fd, size_t most, const uint8_t **text);

/* Writes what is left of an unfinished line, as P. */
void log_finish(struct log_file *log, struct log_stream *stream);

/* Gives the copy buffers back to the kernel. */
void log_idle(void);

/* "2026-01-02T03:04:05.123456789Z stdout F " into `out`; its length. */
size_t log_prefix(char out[LOG_PREFIX_MAX], uint64_t now_ns, const char *stream, char tag);
