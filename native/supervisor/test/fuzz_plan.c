/* libFuzzer: how a plan is decoded.
 * Whatever is decoded is read to its end, so that a pointer or a length out of place is seen. */
#include <stddef.h>
#include <string.h>

#include "plan/plan.h"

static volatile size_t sink;

static void walk(const struct plan_strings *list) {
    for (uint32_t i = 0; i < list->count; i++) sink += strlen(list->at[i]);
    if (list->at && list->at[list->count]) __builtin_trap();
}

static void read_op(const struct plan_op *op) {
    sink += strlen(plan_step(op));
    switch (op->code) {
    case PLAN_CGROUP_WRITE:
        sink += strlen(op->cgroup_write.path) + strlen(op->cgroup_write.value);
        break;
    case PLAN_ROOTFS:
        walk(&op->rootfs.lower);
        sink += strlen(op->rootfs.upper) + strlen(op->rootfs.work);
        break;
    case PLAN_MOUNT:
        if (op->kind == PLAN_KIND_MOUNT) walk(&op->mount.options);
        sink += strlen(op->kind == PLAN_KIND_MOUNT ? op->mount.destination : op->bind.source);
        break;
    case PLAN_RUNTIME:
        sink += strlen(op->runtime.path) + strlen(op->runtime.bundle) + strlen(op->runtime.root);
        break;
    case PLAN_RUNTIME_PROCESS:
        for (uint32_t i = 0; i < op->runtime_process.json.len; i++) sink += op->runtime_process.json.data[i];
        break;
    case PLAN_CREDENTIALS:
        for (uint32_t i = 0; i < op->credentials.groups.len; i++) sink += op->credentials.groups.data[i];
        break;
    case PLAN_EXEC:
        walk(&op->exec.argv);
        walk(&op->exec.env);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* The first byte chooses the purpose. */
    if (size == 0 || size > WIRE_FRAME_MAX) return 0;
    struct wire_bytes bytes = {data + 1, (uint32_t)(size - 1)};
    struct error err;
    struct plan plan;
    if (plan_decode(&bytes, data[0] % PLAN_OF_KEPT, &plan, &err) < 0) return 0;
    for (uint32_t i = 0; i < plan.count; i++) read_op(&plan.ops[i]);
    plan_free(&plan);
    return 0;
}
