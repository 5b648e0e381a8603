/* Hidden and read-only paths. */
#pragma once
#include "build/builder.h"

/* In the host's mount namespace: a clone of the supervisor's proven null device for plans without one of their own. */
int mask_open_null(struct builder *b, int null_fd);

int mask_apply_all(struct builder *b);
int readonly_apply_all(struct builder *b);
