/* A container without processes, whose stdio is in the hands of the test, and clients that attach to it. */
#pragma once
#include "pod/attach.h"
#include "pod/container_io.h"
#include "test/streams.h"

#define MUCH (2 << 20)

extern struct container box;
extern int inside[3]; /* its stdio, as it sees it */
extern uint8_t pattern[MUCH], received[MUCH];
extern struct error err;
extern int fds[OFFER_FDS];
void open_box(bool with_stdin);
void open_terminal(void);
void reopen_terminal(void);
void close_inside(void);

/* As at the end of a container. */
void end_box(void);
int ask(bool in, bool out, bool errors);

/* Attaches and fetches. */
bool attach(bool in, bool out, bool errors, int got[OFFER_FDS]);
size_t drain(int fd, uint8_t *into, size_t at);

/* A client that takes everything at once. */
struct fast {
    int fds[OFFER_FDS];
    size_t got;
    uint8_t text[MUCH];
};

/* Writes what the container gets rid of while nobody reads but `client` (or nobody at all). */
size_t fill(int fd, size_t from, size_t to, struct fast *client);

/* The text of the log without its prefixes. */
size_t logged(void);
void box_init(void);
