/* Images as volumes (api.proto, Mount.image): an overlay without a writable layer. */
#pragma once
#include "build/builder.h"

/* Where the layers are in sight: each image of the plan becomes a detached, read-only mount. `skip` as for an overlay (build/overlay.h). */
int image_mounts_open(struct builder *b, size_t skip);

/* In an own mount namespace: of images with a sub path only that is left. */
int image_mounts_narrow(struct builder *b);
