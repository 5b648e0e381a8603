/* Devices of a v2 cgroup: the kernel asks a BPF program at every open and mknod. */
#pragma once
#include "base/error.h"
#include "plan/plan.h"

/* Attaches a device program to a v2 directory. */
int cgroup_guard_devices(const struct plan_op *op, struct error *err);
