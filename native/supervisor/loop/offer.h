/* Descriptors on offer. What a request has opened for the daemon is fetched from a socket of its own, <directory>/streams.sock
 * (SOCK_SEQPACKET): the daemon's stream of frames cannot carry descriptors to it. A number is fetched once. */
#pragma once
#include <stdint.h>

#define OFFER_FDS 3u

/* Serves `listener`. */
int offers_init(int listener);

/* Takes these descriptors (-1: none) and closes them when nobody fetches them in time. 0: too many are on offer, and they are closed. */
uint32_t offer_make(const int fds[OFFER_FDS]);
