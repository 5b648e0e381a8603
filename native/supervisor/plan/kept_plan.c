#include "plan/kept_plan.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/unshared.h"
#include "plan/plan.h"

#define FIELD_HEADER 6u

static uint8_t *pages(size_t size) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    unshare_pages(p, size);
    return p;
}

static bool is_kept(uint16_t code) {
    return code == PLAN_CGROUP_DIR || code == PLAN_NAMESPACES || code == PLAN_CREDENTIALS || code == PLAN_RUNTIME;
}

int kept_plan_live(const struct wire_bytes *plan, struct wire_bytes *out) {
    struct wire_reader reader;
    struct wire_field op;
    size_t len = 0;
    wire_reader_init(&reader, plan->data, plan->len);
    while (wire_next(&reader, &op) > 0)
        if (is_kept(op.id)) len += FIELD_HEADER + op.value.len;
    *out = (struct wire_bytes){0};
    uint8_t *kept = len > 0 ? pages(len) : NULL;
    if (!kept) return len == 0 ? 0 : -1;
    *out = (struct wire_bytes){kept, (uint32_t)len};
    wire_reader_init(&reader, plan->data, plan->len);
    while (wire_next(&reader, &op) > 0) {
        if (!is_kept(op.id)) continue;
        memcpy(kept, op.value.data - FIELD_HEADER, FIELD_HEADER + op.value.len);
        kept += FIELD_HEADER + op.value.len;
    }
    return 0;
}

void kept_plan_release(struct wire_bytes *kept) {
    if (kept->data) munmap((void *)(uintptr_t)kept->data, kept->len);
    *kept = (struct wire_bytes){0};
}

static bool read_namespaces(const struct wire_bytes *op, struct plan_facts *out) {
    struct wire_reader reader;
    struct wire_field field;
    uint8_t mode = 0;
    int more;
    wire_reader_init(&reader, op->data, op->len);
    while ((more = wire_next(&reader, &field)) > 0) {
        if (field.id == 1 && !wire_u8(&field, &mode)) return false;
        if (field.id == 2 && !wire_string(&field, out->target_id, sizeof out->target_id)) return false;
    }
    out->target = mode == PLAN_PID_MODE_TARGET;
    return more == 0;
}

static bool read_hooks(const struct wire_bytes *op, struct plan_facts *out) {
    struct wire_reader reader;
    struct wire_field field;
    int more;
    wire_reader_init(&reader, op->data, op->len);
    while ((more = wire_next(&reader, &field)) > 0) {
        if (field.id == 4 && !wire_u32(&field, &out->hooks_create_ms)) return false;
        if (field.id == 5 && !wire_u32(&field, &out->hooks_start_ms)) return false;
    }
    return more == 0;
}

int plan_facts_read(const struct wire_bytes *plan, struct plan_facts *out, struct error *err) {
    struct wire_reader reader;
    struct wire_field op;
    int more;
    *out = (struct plan_facts){0};
    wire_reader_init(&reader, plan->data, plan->len);
    while ((more = wire_next(&reader, &op)) > 0) {
        if (op.id == PLAN_TERMINAL) out->terminal = true;
        if (op.id == PLAN_SECCOMP) out->filtered = true;
        if (op.id == PLAN_NAMESPACES && !read_namespaces(&op.value, out))
            return error_set(err, EINVAL, "namespaces", "malformed operation");
        if (op.id == PLAN_HOOKS && !read_hooks(&op.value, out))
            return error_set(err, EINVAL, "hooks", "malformed operation");
    }
    return more == 0 ? 0 : error_set(err, EINVAL, "plan", "truncated operation");
}
