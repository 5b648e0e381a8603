/* The pipes (or the terminal) of a container's first process, and their way into its log. */
#pragma once
#include "pod/container.h"

/* Once: what has been read of unfinished lines is kept from children. */
void container_io_unshare(void);

void container_io_init(struct container *c, size_t index);

/* Makes our ends and theirs, and the sync socket (ours in *sync). */
int container_io_open(struct container *c, bool terminal, bool with_stdin, int null_fd, struct build_io *io, int *sync,
                      struct error *err);
void container_io_close_theirs(struct build_io *io, int null_fd);

/* Logs from the pty that the handshake brought. */
int container_io_console(struct container *c);

/* Goes on reading an output that waited for somebody attached. */
void container_io_resume(struct container *c, int stream);

/* Its processes end: a terminal that nobody has open is at its end. */
void container_io_ending(struct container *c);

/* An output waits for somebody attached. */
bool container_io_waits(const struct container *c);

bool container_io_is_open(const struct container *c);
/* Flushes unfinished lines, closes everything and the log. */
void container_io_finish(struct container *c);
/* Closes everything of a container that was never built. */
void container_io_discard(struct container *c);

/* Called by this part when one of the streams has come to its end (pod/container.c). */
void container_io_closed(struct container *c);
