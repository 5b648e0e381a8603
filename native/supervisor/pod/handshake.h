/* The supervisor's end of the sync socket: one allowed order of messages (build/message.h), for create and for exec. */
#pragma once
#include "base/error.h"
#include "loop/loop.h"

struct handshake {
    struct source source;
    bool create;   /* READY is expected, and GO is answered */
    bool terminal; /* CONSOLE is expected */
    bool awaiting, ready, released, payload;
    int console; /* the pty's master, or -1 */
    pid_t pid;   /* the process: the builder until a PAYLOAD message names another */
    pid_t builder;
    struct error error;
    void (*on_hooks)(struct handshake *h); /* GO is due when others have run theirs; NULL: there are none */
    void (*on_payload)(struct handshake *h);
    void (*on_ready)(struct handshake *h);
    void (*on_executed)(struct handshake *h); /* end of file: execve happened, or the process died before it */
    void (*on_failed)(
        struct handshake *h); /* h->error says why: EPROTO for a message out of order, 0 for a death without a word */
};

/* Takes `fd`. Children that nobody knows are not reaped until the handshake is over (loop/child.h). */
int handshake_begin(struct handshake *h, int fd, pid_t builder, bool create, bool terminal);

/* Handles what has arrived already: called before the end of a process is believed. */
void handshake_drain(struct handshake *h);

/* GO: to hooks that are awaited, to READY. */
int handshake_continue(struct handshake *h);
int handshake_release(struct handshake *h);
void handshake_end(struct handshake *h);
bool handshake_is_open(const struct handshake *h);
