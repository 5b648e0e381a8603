/* Session keyrings: keys of the host, and of other containers, are out of reach. */
#pragma once
#include "base/error.h"

/* A new, empty, anonymous session keyring for this process and its descendants. Every process of a container gets its own: a name would
 * let one container squat the keyring of another. */
int keyring_join_new(struct error *err);
