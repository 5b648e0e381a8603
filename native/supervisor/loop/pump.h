/* Bytes from one descriptor to another, through a small buffer, as fast as the second takes them. */
#pragma once
#include <stdint.h>

#include "loop/loop.h"

#define PUMP_BYTES 8192u

struct pump {
    struct source from, to;
    uint32_t start, end;
    void (*stopped)(struct pump *pump);
    bool (*lasts)(
        const struct pump *pump); /* a terminal that nobody has open may be opened again; NULL: it is at its end */
    struct timer timer;
    uint8_t data[PUMP_BYTES];
};

void pump_init(struct pump *p);
/* Takes both descriptors, which must not block. -1 with errno: both are closed. */
int pump_start(struct pump *p, int from, int to, void (*stopped)(struct pump *));
/* Looks again whether a terminal that nobody had open is at its end. */
void pump_retry(struct pump *p);
bool pump_is_running(const struct pump *p);
/* Closes both; `stopped` is not called. It is when an end closes by itself: what had been read is written then, if it could be. */
void pump_stop(struct pump *p);
