/* What the tests of the builder share: a small supervisor that drives one build, and a busybox root file system. Run as root; everything made
 * is below one temporary directory and below cgroups of the same name. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "build/build.h"
#include "build/message.h"
#include "plan/plan.h"
#include "test/draft.h"
#include "test/tap.h"

extern struct build_env fixture_env;
extern char fixture_dir[64];
__attribute__((format(printf, 1, 2))) char *at(const char *format, ...);
void put_file(const char *path, const char *text);
char *get_file(const char *path);

/* The layers of an image to be mounted. */
void fresh_image(void);

/* A lower directory with busybox and nothing else but what the test adds. */
char *fresh_layer(const char *name);

/* One process being built, run and ended. */
struct run {
    struct build_process process;
    struct build_message failed; /* .type is 0 unless the builder reported */
    struct error err;
    pid_t pid;
    int sync, out, console, status;
    char text[16384];
};
struct wire_bytes bytes_of(const struct draft *d);

/* Messages until READY (create), or until the socket ends. True while nothing has failed. */
bool listen_to(struct run *r, bool until_ready);

struct driver_io {
    struct build_io io;
    int ours[2]; /* sync, output */
};
struct driver_io open_io(bool terminal);
bool settle(struct run *r, struct driver_io *io, int result, bool create);

/* CREATE: up to READY. */
bool create(struct run *r, const struct draft *d, int target);

/* START: releases the process and waits for execve. */
bool release(struct run *r);
bool exec_in(struct run *r, const struct draft *container, const struct draft *process, int init_pidfd, bool terminal);

/* Reads all output and reaps. */
void finish(struct run *r);

/* The whole life of a container; its output is in r->text. */
bool run(struct run *r, const char *layer, const char *name, const struct wish *w);
void fixture_remove(void);
bool fixture_open(void);
