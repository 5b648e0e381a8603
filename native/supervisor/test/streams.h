/* What the tests of the streams share: a daemon at the other end of both sockets, a clock that can be put forward, and turns of the loop.
 * No test waits for time to pass: what has a deadline is reached by skip(). */
#pragma once

#include "loop/connection.h"
#include "loop/loop.h"
#include "loop/offer.h"
#include "test/fixture.h"
#include "wire/request.h"

#define TURNS 64 /* more rounds of the loop than anything here takes that is ready already */
#define PATIENCE_MS 20000

/* ---- the loop ---- */

/* Lets everything happen that is ready to, and what comes of it. */
void turn(void);
void skip(int64_t ms);

/* For what the kernel does in its own time. */
bool until(bool (*condition)(void));

/* ---- the daemon ---- */

extern struct connection connection;
extern int daemon_fd;

struct answer {
    uint16_t type; /* 0: there is none */
    uint32_t tag, number;
    int32_t error;
    char detail[512];
};

/* The next frame that the daemon has got. */
struct answer answer(void);
void reconnect(void);
int dial_streams(void);

/* What comes over a connection to the streams socket: how many bytes, and the descriptors in their places. -2: nothing yet. */
ssize_t take(int fd, int fds[OFFER_FDS]);

/* Fetches what is on offer under this number. */
ssize_t fetch(uint32_t number, int fds[OFFER_FDS]);

/* ---- descriptors ---- */

int open_fds(void);
void close_all(int fds[OFFER_FDS]);

/* The other end is closed: of a pipe that is read from, or of one that is written to. */
bool has_reader(int fd);
bool at_end(int fd);

/* Fills the numbered offers, as many as there is room for; 0 when there is none. */
int offer_rest(void);
bool streams_open(void);
