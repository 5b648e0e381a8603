/* The CRI log: every cut of the input gives the same lines; a full disk and a hostile directory cost no more than they must. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "pod/log.h"
#include "test/tap.h"

static const uint8_t *read_text;
static char directory[64];
static struct log_file log_file;
static uint8_t tail[LOG_LINE_MAX];
static char text[1 << 20];

static void at(const char *name) { snprintf(log_file.path, sizeof log_file.path, "%s/%s", directory, name); }

static size_t slurp(void) {
    int fd = open(log_file.path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0) close(fd);
    text[n > 0 ? n : 0] = 0;
    return (size_t)n;
}

/* Log lines without their times: "stdout F text\n"…; false when a time is malformed. */
static bool strip(void) {
    char *out = text;
    for (char *line = text; *line;) {
        char *end = strchr(line, '\n');
        if (!end || end - line < 32 || line[10] != 'T' || line[19] != '.' || line[29] != 'Z' || line[30] != ' ')
            return false;
        size_t len = (size_t)(end + 1 - line) - 31;
        memmove(out, line + 31, len);
        out += len;
        line = end + 1;
    }
    *out = 0;
    return true;
}

/* Writes `input` in pieces of `piece` bytes; the log's lines are then in `text`. */
static bool feed(const char *input, size_t len, size_t piece) {
    struct error err;
    struct log_stream stream = {.name = "stdout", .tail = tail};
    int ends[2];
    at("0.log");
    unlink(log_file.path);
    if (log_open(&log_file, &err) < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return false;
    for (size_t done = 0; done < len;) {
        size_t n = len - done < piece ? len - done : piece;
        if (write(ends[1], input + done, n) != (ssize_t)n ||
            log_copy(&log_file, &stream, ends[0], LOG_READ_MAX, &read_text) != (ssize_t)n)
            return false;
        done += n;
    }
    close(ends[1]);
    bool ended = log_copy(&log_file, &stream, ends[0], LOG_READ_MAX, &read_text) == 0;
    log_finish(&log_file, &stream);
    log_close(&log_file);
    close(ends[0]);
    slurp();
    return ended && strip();
}

static void test_lines(void) {
    static const char input[] = "one\n\ntwo three\nunfinished";
    static const char expected[] = "stdout F one\nstdout F \nstdout F two three\nstdout P unfinished\n";
    bool same = true;
    for (size_t piece = 1; piece <= sizeof input - 1; piece++)
        same = same && feed(input, sizeof input - 1, piece) && strcmp(text, expected) == 0;
    ok(same, "the lines are the same wherever the input is cut");
}

static void test_long_lines(void) {
    static char input[3 * LOG_LINE_MAX];
    memset(input, 'x', sizeof input);
    input[LOG_LINE_MAX] = '\n';
    ok(feed(input, LOG_LINE_MAX + 1, 1000) && strncmp(text, "stdout F xxx", 12) == 0 && !strstr(text, "stdout P"),
       "a line of exactly the limit is whole");
    input[LOG_LINE_MAX] = 'y';
    input[LOG_LINE_MAX + 1] = '\n';
    bool cut = true;
    for (size_t piece = 4093; piece <= LOG_LINE_MAX * 2; piece *= 2) {
        cut = cut && feed(input, LOG_LINE_MAX + 2, piece) && strncmp(text, "stdout P xxx", 12) == 0;
        char *rest = strchr(text, '\n');
        cut = cut && rest && strcmp(rest + 1, "stdout F y\n") == 0 && rest - text == 9 + (long)LOG_LINE_MAX;
    }
    ok(cut, "one byte more makes a partial line of the limit and the rest, wherever the input is cut");
}

/* RLIMIT_FSIZE stands for the full disk: write(2) is short and then fails. */
static void test_full_disk(void) {
    struct error err;
    struct log_stream stream = {.name = "stdout", .tail = tail};
    struct rlimit before, small;
    int ends[2];
    at("full.log");
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 100;
    signal(SIGXFSZ, SIG_IGN);
    ok(log_open(&log_file, &err) == 0 && pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "a log is opened");
    setrlimit(RLIMIT_FSIZE, &small);
    ok(write(ends[1], "first\nsecond\nthird\nfourth\n", 26) == 26 &&
           log_copy(&log_file, &stream, ends[0], LOG_READ_MAX, &read_text) == 26,
       "a full disk is no error to the container");
    slurp();
    ok(strip() && strcmp(text, "stdout F first\nstdout F second\n") == 0, "no half line stays in the log");
    setrlimit(RLIMIT_FSIZE, &before);
    ok(write(ends[1], "fifth\n", 6) == 6 && log_copy(&log_file, &stream, ends[0], LOG_READ_MAX, &read_text) == 6,
       "when there is room again");
    slurp();
    ok(strip() && strcmp(text, "stdout F first\nstdout F second\nstderr F [2 log lines lost: File too large]\n"
                               "stdout F fifth\n") == 0,
       "the log says how many lines it lost, and goes on");
    log_close(&log_file);
    close(ends[0]);
    close(ends[1]);
}

static bool refused(const char *name, int error) {
    struct error err = {0};
    at(name);
    return log_open(&log_file, &err) < 0 && err.error == error;
}

static void in(char *path, const char *name) { snprintf(path, 128, "%s/%s", directory, name); }

static void test_hostile_directory(void) {
    char canary[128], path[128], other[128];
    struct error err;
    struct stat st;
    in(canary, "canary");
    close(open(canary, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    in(path, "link.log");
    (void)!symlink(canary, path);
    ok(refused("link.log", ELOOP), "a log that is a symlink is refused");
    in(path, "fifo.log");
    mkfifo(path, 0600);
    ok(refused("fifo.log", ENXIO), "a FIFO is refused and does not block");
    in(path, "dir.log");
    mkdir(path, 0700);
    ok(refused("dir.log", EISDIR), "a directory is refused");
    in(path, "hard.log");
    ok(link(canary, path) == 0 && refused("hard.log", EPERM), "a second name of another file is refused");
    in(path, "logs");
    in(other, "elsewhere");
    mkdir(other, 0700);
    (void)!symlink(other, path);
    ok(refused("logs/0.log", ENOTDIR), "a directory that is a symlink is refused");
    ok(refused("a/../0.log", EINVAL) && refused("./0.log", EINVAL), "dots in the path are refused");
    at("new/deep/0.log");
    ok(log_open(&log_file, &err) == 0 && stat(log_file.path, &st) == 0 && (st.st_mode & 0777) == 0640,
       "missing directories are made");
    log_close(&log_file);
    ok(stat(canary, &st) == 0 && st.st_size == 0, "nothing was written elsewhere");
}

static void test_reopen(void) {
    struct error err;
    char rotated[PATH_MAX + 8];
    at("rotate.log");
    ok(log_open(&log_file, &err) == 0, "a log is opened");
    snprintf(rotated, sizeof rotated, "%s.1", log_file.path);
    rename(log_file.path, rotated);
    ok(log_reopen(&log_file, &err) == 0 && access(log_file.path, F_OK) == 0, "rotation makes a new file");
    ok(unlink(log_file.path) == 0 && symlink(rotated, log_file.path) == 0 && log_reopen(&log_file, &err) < 0 &&
           log_file.fd >= 0,
       "rotation to a symlink is refused, and the old file stays in use");
    log_close(&log_file);
}

int main(void) {
    strcpy(directory, "/tmp/jangada-log-XXXXXX");
    if (!mkdtemp(directory)) return 1;
    test_lines();
    test_long_lines();
    test_full_disk();
    test_hostile_directory();
    test_reopen();
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    (void)!system(command);
    return done();
}
