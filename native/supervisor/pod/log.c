#include "pod/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/give_back.h"
#include "base/unshared.h"
#include "loop/loop.h"

#define OUT_MAX (2u << 20) /* what a read becomes goes to the file at once, unless lines are shorter than 50 bytes */
#define IN_SLACK 16u       /* find_newline() and copy_line() look at so many bytes at once */
#define WHOLE_PAGES(size) (((size) + 4095u) & ~4095u)
#define IN_SIZE WHOLE_PAGES(LOG_LINE_MAX + LOG_READ_MAX + IN_SLACK)
#define OUT_SIZE WHOLE_PAGES(OUT_MAX + LOG_PREFIX_MAX)
#define KEEP 4096u

/* Shared by all streams: nothing stays in them between two calls. */
static uint8_t in[IN_SIZE] UNSHARED;
static uint8_t out[OUT_SIZE] UNSHARED;
static size_t out_len;
static bool buffers_used;

void log_init(void) {
    UNSHARE_ARRAY(in);
    UNSHARE_ARRAY(out);
}

void log_idle(void) {
    if (buffers_used) {
        give_back(in, sizeof in);
        give_back(out, sizeof out);
    }
    buffers_used = false;
}

size_t log_prefix(char prefix[LOG_PREFIX_MAX], uint64_t now_ns, const char *stream, char tag) {
    time_t seconds = (time_t)(now_ns / 1000000000u);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    int n =
        snprintf(prefix, LOG_PREFIX_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ %s %c ", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(now_ns % 1000000000u), stream, tag);
    return (size_t)n;
}

static uint64_t count_lines(const uint8_t *at, size_t len) {
    uint64_t lines = 0;
    for (const uint8_t *end = at + len; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++) lines++;
    return lines;
}

/* A full disk costs lines, never the container: what could not be written is counted, and half a line is taken back. */
static void lose(struct log_file *log, const uint8_t *data, size_t len, size_t written, int error) {
    log->lost_error = error;
    log->lost += count_lines(data + written, len - written);
    const uint8_t *newline = written > 0 ? memrchr(data, '\n', written) : NULL;
    size_t half = newline ? written - (size_t)(newline + 1 - data) : written;
    struct stat st;
    if (half > 0) log->torn = fstat(log->fd, &st) < 0 || ftruncate(log->fd, st.st_size - (off_t)half) < 0;
}

static void write_all(struct log_file *log, const uint8_t *data, size_t len) {
    for (size_t at = 0; at < len;) {
        ssize_t n = write(log->fd, data + at, len - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            lose(log, data, len, at, n < 0 ? errno : EIO);
            return;
        }
        at += (size_t)n;
    }
}

/* Says in the log itself that lines are missing from it. */
static void report_lost(struct log_file *log) {
    char text[LOG_PREFIX_MAX + 160];
    uint64_t lost = log->lost;
    size_t at = 0;
    if (log->torn) text[at++] = '\n';
    at += log_prefix(text + at, clock_now_ns(), "stderr", 'F');
    int n = snprintf(text + at, sizeof text - at, "[%llu log lines lost: %s]\n", (unsigned long long)lost,
                     strerror(log->lost_error));
    log->lost = 0;
    log->torn = false;
    write_all(log, (const uint8_t *)text, at + (size_t)n);
    if (log->lost > 0) log->lost += lost - 1; /* still full: the report itself was no line of the container */
}

static void flush(struct log_file *log) {
    if (out_len > 0 && log->fd >= 0) {
        if (log->lost > 0 || log->torn) report_lost(log);
        if (log->lost > 0)
            log->lost += count_lines(out, out_len);
        else
            write_all(log, out, out_len);
    }
    out_len = 0;
}

/* memcpy() for lines: musl's takes longer to begin than most lines are long. Up to IN_SLACK - 1 bytes more are read and written. */
static void copy_line(uint8_t *to, const uint8_t *from, size_t len) {
#ifdef __SSE2__
    for (size_t at = 0; at < len; at += IN_SLACK)
        _mm_storeu_si128((__m128i *)(void *)(to + at), _mm_loadu_si128((const __m128i *)(const void *)(from + at)));
#else
    memcpy(to, from, len);
#endif
}

static void emit(struct log_file *log, const char *prefix, size_t prefix_len, const uint8_t *text, size_t len) {
    if (out_len + prefix_len + len + 1 > OUT_MAX) flush(log);
    memcpy(out + out_len, prefix, LOG_PREFIX_MAX); /* a constant size is a few instructions; the rest is overwritten */
    copy_line(out + out_len + prefix_len, text, len);
    out_len += prefix_len + len;
    out[out_len++] = '\n';
}

/* memchr() for in[]: musl's takes twice the time, and this is what a log costs beside the kernel's copying. */
static const uint8_t *find_newline(const uint8_t *at, const uint8_t *end) {
#ifdef __SSE2__
    const __m128i newlines = _mm_set1_epi8('\n');
    for (; at < end; at += IN_SLACK) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        int found = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, newlines));
        if (found == 0) continue;
        at += __builtin_ctz((unsigned)found);
        return at < end ? at : NULL; /* what lies behind the end is left of an earlier read */
    }
    return NULL;
#else
    return memchr(at, '\n', (size_t)(end - at));
#endif
}

/* Writes the complete lines of in[0…len); returns how many bytes of an unfinished line are left at their end. */
static size_t split(struct log_file *log, const char *stream, size_t len) {
    char full[LOG_PREFIX_MAX], partial[LOG_PREFIX_MAX];
    uint64_t now = clock_now_ns();
    size_t prefix_len = log_prefix(full, now, stream, 'F');
    log_prefix(partial, now, stream, 'P');
    const uint8_t *at = in, *end = in + len;
    for (;;) {
        const uint8_t *newline = find_newline(at, end);
        size_t line = (size_t)((newline ? newline : end) - at);
        while (line > LOG_LINE_MAX) {
            emit(log, partial, prefix_len, at, LOG_LINE_MAX);
            at += LOG_LINE_MAX;
            line -= LOG_LINE_MAX;
        }
        if (!newline) break;
        emit(log, full, prefix_len, at, line);
        at = newline + 1;
    }
    flush(log);
    return (size_t)(end - at);
}

ssize_t log_copy(struct log_file *log, struct log_stream *stream, int fd, size_t most, const uint8_t **text) {
    memcpy(in, stream->tail, stream->tail_len);
    *text = in + stream->tail_len;
    ssize_t n = read(fd, in + stream->tail_len, most);
    if (n <= 0) return n;
    if ((size_t)n > KEEP) buffers_used = true;
    if (log->fd < 0) return n;
    size_t len = stream->tail_len + (size_t)n;
    stream->tail_len = (uint32_t)split(log, stream->name, len);
    memcpy(stream->tail, in + len - stream->tail_len, stream->tail_len);
    return n;
}

void log_finish(struct log_file *log, struct log_stream *stream) {
    if (stream->tail_len > 0 && log->fd >= 0) {
        char prefix[LOG_PREFIX_MAX];
        size_t prefix_len = log_prefix(prefix, clock_now_ns(), stream->name, 'P');
        emit(log, prefix, prefix_len, stream->tail, stream->tail_len);
        flush(log);
    }
    stream->tail_len = 0;
}
