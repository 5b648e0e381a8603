/* Kernel parameters of the pod's own namespaces. */
#pragma once
#include "base/error.h"
#include "wire/wire.h"

/* Which namespaces of this process are the pod's own, proven by comparison with those it was started in. */
struct own_namespaces {
    bool network, ipc;
};

/* The namespace that `setting` ("key=value") belongs to is one of `own`, and it is well-formed. Nothing is written. */
int sysctl_check(const struct wire_bytes *setting, const struct own_namespaces *own, struct error *err);

/* Writes a checked setting. */
int sysctl_write(const struct wire_bytes *setting, struct error *err);
