/* The daemon's side of a terminal. It gets pipes, never the pty's master itself: a write to a master may block its event loop. */
#pragma once
#include "loop/pump.h"

#define TTY_HANGUP_MS 100 /* so often it is looked whether a terminal that nobody had open is in use again */

/* The master's output into a new pipe, whose end to read from is *offered. Takes `master`. When the daemon closes the pipe, the master is
 * closed too: to the processes behind it that is a hang-up. */
int tty_output(struct pump *p, int master, int *offered, void (*stopped)(struct pump *));

/* A new pipe, whose end to write to is *offered, into the terminal of `master`, which stays the caller's. */
int tty_input(struct pump *p, int master, int *offered, void (*stopped)(struct pump *));

int tty_resize(int master, uint32_t width, uint32_t height);
