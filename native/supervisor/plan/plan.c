#include "plan/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "plan/plan_check.h"

#define PATH_LIMIT 4096u
#define STRING_LIMIT (128u * 1024) /* MAX_ARG_STRLEN: what execve takes as one string */

enum field_type { U8, U16, U32, U64, I32, STRING, PATH, STRINGS, BYTES };

/* One field of an operation and where it goes. */
struct field_shape {
    uint8_t id, type, optional;
    uint16_t offset;
};

struct op_shape {
    uint16_t code;
    uint8_t kind; /* 0: the operation has no kind */
    const char *step;
    struct field_shape fields[11];
};

#define AT(member) offsetof(struct plan_op, member)

static const struct op_shape shapes[] = {
    {PLAN_CGROUP_DIR,
     0,
     "cgroup-dir",
     {{1, PATH, 0, AT(cgroup_dir.path)},
      {2, U8, 0, AT(cgroup_dir.version)},
      {3, U8, 0, AT(cgroup_dir.role)},
      {4, STRING, 1, AT(cgroup_dir.controllers)}}},
    {PLAN_CGROUP_WRITE,
     0,
     "cgroup-write",
     {{1, PATH, 0, AT(cgroup_write.path)},
      {2, STRING, 0, AT(cgroup_write.value)},
      {3, U8, 0, AT(cgroup_write.optional)}}},
    {PLAN_CGROUP_DEVICES,
     0,
     "cgroup-devices",
     {{1, PATH, 0, AT(cgroup_devices.path)}, {2, BYTES, 0, AT(cgroup_devices.program)}}},
    {PLAN_OOM_SCORE_ADJ, 0, "oom-score-adj", {{1, I32, 0, AT(oom.value)}}},
    {PLAN_NAMESPACES,
     0,
     "namespaces",
     {{1, U8, 0, AT(namespaces.pid)}, {2, STRING, 1, AT(namespaces.target)}, {3, U8, 0, AT(namespaces.host_cgroup)}}},
    {PLAN_RLIMIT,
     0,
     "rlimit",
     {{1, U32, 0, AT(rlimit.resource)}, {2, U64, 0, AT(rlimit.soft)}, {3, U64, 0, AT(rlimit.hard)}}},
    {PLAN_RUNTIME,
     0,
     "runtime",
     {{1, PATH, 0, AT(runtime.path)},
      {2, PATH, 0, AT(runtime.bundle)},
      {3, PATH, 0, AT(runtime.root)},
      {4, PATH, 1, AT(runtime.hidden)},
      {5, U8, 1, AT(runtime.systemd)}}},
    {PLAN_ROOTFS,
     0,
     "rootfs",
     {{1, STRINGS, 0, AT(rootfs.lower)},
      {2, PATH, 0, AT(rootfs.upper)},
      {3, PATH, 0, AT(rootfs.work)},
      {4, U8, 0, AT(rootfs.readonly)},
      {5, U8, 0, AT(rootfs.propagation)},
      {10, PATH, 1, AT(rootfs.base)},
      {11, STRING, 1, AT(rootfs.label)}}},
    {PLAN_MOUNT,
     PLAN_KIND_MOUNT,
     "mount",
     {{2, STRING, 0, AT(mount.type)},
      {3, PATH, 0, AT(mount.destination)},
      {4, STRINGS, 0, AT(mount.options)},
      {5, U32, 0, AT(mount.flags)}}},
    {PLAN_MOUNT,
     PLAN_KIND_BIND,
     "bind",
     {{2, PATH, 0, AT(bind.source)},
      {3, PATH, 0, AT(bind.destination)},
      {5, U32, 0, AT(bind.flags)},
      {6, U8, 0, AT(bind.recursive_readonly)},
      {7, U8, 0, AT(bind.propagation)},
      {10, U8, 1, AT(bind.idmap)},
      {11, STRING, 1, AT(bind.label)}}},
    {PLAN_MOUNT,
     PLAN_KIND_IMAGE,
     "image",
     {{2, STRINGS, 0, AT(image.lower)},
      {3, PATH, 0, AT(image.destination)},
      {4, STRING, 1, AT(image.sub_path)},
      {5, U32, 0, AT(image.flags)},
      {11, STRING, 1, AT(image.label)}}},
    {PLAN_DEVICE,
     PLAN_KIND_NODE,
     "device",
     {{2, PATH, 0, AT(device.destination)},
      {3, U8, 0, AT(device.type)},
      {4, U32, 0, AT(device.major)},
      {5, U32, 0, AT(device.minor)},
      {6, U32, 0, AT(device.mode)},
      {7, U32, 0, AT(device.uid)},
      {8, U32, 0, AT(device.gid)}}},
    {PLAN_DEVICE,
     PLAN_KIND_SYMLINK,
     "symlink",
     {{2, PATH, 0, AT(symlink.destination)}, {3, STRING, 0, AT(symlink.target)}}},
    {PLAN_MASK, 0, "mask", {{1, PATH, 0, AT(path.destination)}}},
    {PLAN_READONLY, 0, "readonly", {{1, PATH, 0, AT(path.destination)}}},
    {PLAN_TERMINAL, 0, "terminal", {{1, U16, 0, AT(terminal.width)}, {2, U16, 0, AT(terminal.height)}}},
    {PLAN_CWD, 0, "cwd", {{1, PATH, 0, AT(path.destination)}}},
    {PLAN_APPARMOR, 0, "apparmor", {{1, STRING, 0, AT(label.value)}}},
    {PLAN_SELINUX, 0, "selinux", {{1, STRING, 0, AT(label.value)}}},
    {PLAN_CREDENTIALS,
     0,
     "credentials",
     {{1, U32, 0, AT(credentials.uid)},
      {2, U32, 0, AT(credentials.gid)},
      {3, BYTES, 0, AT(credentials.groups)},
      {4, U64, 0, AT(credentials.bounding)},
      {5, U64, 0, AT(credentials.effective)},
      {6, U64, 0, AT(credentials.permitted)},
      {7, U64, 0, AT(credentials.inheritable)},
      {8, U64, 0, AT(credentials.ambient)},
      {9, U8, 0, AT(credentials.no_new_privileges)},
      {10, U32, 0, AT(credentials.umask)}}},
    {PLAN_SECCOMP, 0, "seccomp", {{1, BYTES, 0, AT(seccomp.filter)}, {2, U32, 0, AT(seccomp.flags)}}},
    {PLAN_RUNTIME_PROCESS, 0, "runtime", {{1, BYTES, 0, AT(runtime_process.json)}}},
    {PLAN_EXEC, 0, "exec", {{1, STRINGS, 0, AT(exec.argv)}, {2, STRINGS, 0, AT(exec.env)}}},
};

static const struct op_shape *shape_of(uint16_t code, uint8_t kind) {
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (shapes[i].code == code && shapes[i].kind == kind) return &shapes[i];
    return NULL;
}

bool plan_has_kind(uint16_t code) { return code == PLAN_MOUNT || code == PLAN_DEVICE; }

const char *plan_step(const struct plan_op *op) {
    const struct op_shape *shape = shape_of(op->code, op->kind);
    return shape ? shape->step : "plan";
}

/* Memory of one plan: operations, then lists of strings, then the strings. `text` grows by at most a NUL per field, and each field has
 * a header of six bytes, so the plan's own length bounds it. */
struct arena {
    const char **list;
    char *text;
};

static const char *keep_string(struct arena *a, const struct wire_field *f) {
    char *at = a->text;
    if (!wire_string(f, at, (size_t)f->value.len + 1)) return NULL;
    a->text += f->value.len + 1;
    return at;
}

/* A copy as well: a child does not have the frame that the plan came in. */
static struct wire_bytes keep_bytes(struct arena *a, const struct wire_field *f) {
    struct wire_bytes kept = {(uint8_t *)a->text, f->value.len};
    memcpy(a->text, f->value.data, f->value.len);
    a->text += f->value.len;
    return kept;
}

bool plan_good_path(const char *s) { return s && s[0] == '/' && strlen(s) < PATH_LIMIT; }

static bool decode_value(const struct wire_field *f, uint8_t type, void *to, struct arena *a) {
    switch (type) {
    case U8:
        return wire_u8(f, to);
    case U16:
        return wire_u16(f, to);
    case U32:
        return wire_u32(f, to);
    case U64:
        return wire_u64(f, to);
    case I32:
        return wire_i32(f, to);
    case BYTES:
        *(struct wire_bytes *)to = keep_bytes(a, f);
        return true;
    default:
        break;
    }
    const char *s = f->value.len < STRING_LIMIT ? keep_string(a, f) : NULL;
    if (!s || (type == PATH && !plan_good_path(s))) return false;
    if (type == STRINGS) {
        ((struct plan_strings *)to)->at[((struct plan_strings *)to)->count++] = s;
        return true;
    }
    *(const char **)to = s;
    return true;
}

static const struct field_shape *field_of(const struct op_shape *shape, uint16_t id) {
    for (size_t i = 0; i < sizeof shape->fields / sizeof shape->fields[0] && shape->fields[i].id; i++)
        if (shape->fields[i].id == id) return &shape->fields[i];
    return NULL;
}

/* Lists are contiguous: room for each is taken by counting its fields first. */
static void take_lists(const struct op_shape *shape, const struct wire_bytes *bytes, struct plan_op *op,
                       struct arena *a) {
    for (size_t i = 0; i < sizeof shape->fields / sizeof shape->fields[0] && shape->fields[i].id; i++) {
        if (shape->fields[i].type != STRINGS) continue;
        struct plan_strings *list = (void *)((char *)op + shape->fields[i].offset);
        struct wire_reader r;
        struct wire_field f;
        list->at = a->list;
        wire_reader_init(&r, bytes->data, bytes->len);
        while (wire_next(&r, &f) == 1)
            if (f.id == shape->fields[i].id) a->list++;
        a->list++; /* the NULL that ends it */
    }
}

static bool decode_op(const struct wire_field *op_field, struct plan_op *op, struct arena *a) {
    struct wire_reader r;
    struct wire_field f;
    uint32_t seen = 0;
    *op = (struct plan_op){.code = op_field->id, .fd = -1};
    wire_reader_init(&r, op_field->value.data, op_field->value.len);
    if (plan_has_kind(op->code) && (wire_next(&r, &f) != 1 || f.id != 1 || !wire_u8(&f, &op->kind) || op->kind == 0))
        return false;
    const struct op_shape *shape = shape_of(op->code, op->kind);
    if (!shape) return false;
    take_lists(shape, &op_field->value, op, a);
    int more;
    while ((more = wire_next(&r, &f)) == 1) {
        const struct field_shape *field = field_of(shape, f.id);
        if (!field || (field->type != STRINGS && seen >> field->id & 1)) return false;
        seen |= 1u << field->id;
        if (!decode_value(&f, field->type, (char *)op + field->offset, a)) return false;
    }
    for (size_t i = 0; i < sizeof shape->fields / sizeof shape->fields[0] && shape->fields[i].id; i++)
        if (!shape->fields[i].optional && shape->fields[i].type != STRINGS && !(seen >> shape->fields[i].id & 1))
            return false;
    return more == 0;
}

/* Operations and fields of a plan, and whether it is framed at all. */
static bool measure(const struct wire_bytes *bytes, uint32_t *ops, uint32_t *fields) {
    struct wire_reader outer, inner;
    struct wire_field op, f;
    int more;
    *ops = *fields = 0;
    wire_reader_init(&outer, bytes->data, bytes->len);
    while ((more = wire_next(&outer, &op)) == 1) {
        ++*ops;
        wire_reader_init(&inner, op.value.data, op.value.len);
        while ((more = wire_next(&inner, &f)) == 1) ++*fields;
        if (more < 0) return false;
    }
    return more == 0;
}

/* Memory for plans, which come and go by the exec: pages that are there already, instead of fresh ones from the kernel each time. */
#ifndef PLAN_SCRATCH
#define PLAN_SCRATCH (64u << 10)
#endif
static char scratch[PLAN_SCRATCH] __attribute__((aligned(4096)));
static size_t scratch_used;
static unsigned scratch_plans;

static void *take_block(size_t size) {
    size = (size + 15) & ~(size_t)15;
    if (size > sizeof scratch || scratch_used > sizeof scratch - size) return calloc(1, size);
    char *block = scratch + scratch_used;
    scratch_used += size;
    scratch_plans++;
    return memset(block, 0, size);
}

/* Emptied: the next plan may be another container's, and its builder has all of this memory. */
static void give_block(void *block, size_t size) {
    explicit_bzero(block, size);
    if ((char *)block < scratch || (char *)block >= scratch + sizeof scratch)
        free(block);
    else if (--scratch_plans == 0)
        scratch_used = 0;
}

void plan_idle(void) {
    if (scratch_plans == 0) madvise(scratch, sizeof scratch, MADV_DONTNEED);
}

int plan_decode(const struct wire_bytes *bytes, enum plan_purpose purpose, struct plan *out, struct error *err) {
    uint32_t ops, fields;
    *out = (struct plan){0};
    if (bytes->len > WIRE_FRAME_MAX || !measure(bytes, &ops, &fields))
        return error_refuse(err, EINVAL, "truncated or too long", "plan", "plan", "framing");
    size_t lists = ((size_t)fields + 2 * (size_t)ops) * sizeof(char *);
    size_t size = ops * sizeof(struct plan_op) + lists + bytes->len + 1;
    char *block = take_block(size);
    if (!block) return error_fail(err, ENOMEM, "plan", "plan", "memory");
    *out = (struct plan){(struct plan_op *)block, ops, block, size};
    struct arena a = {(const char **)(block + ops * sizeof(struct plan_op)),
                      block + ops * sizeof(struct plan_op) + lists};
    struct wire_reader r;
    struct wire_field f;
    uint16_t last = 0;
    wire_reader_init(&r, bytes->data, bytes->len);
    for (uint32_t i = 0; wire_next(&r, &f) == 1; i++) {
        if (f.id < last || !decode_op(&f, &out->ops[i], &a) || !plan_check_op(&out->ops[i])) {
            char which[48];
            snprintf(which, sizeof which, "operation %u, code %u", i + 1, f.id);
            plan_free(out);
            return error_refuse(err, EINVAL, f.id < last ? "out of order" : "malformed", "plan", which, "plan");
        }
        last = f.id;
    }
    if (plan_check_counts(out, purpose, err) < 0) {
        plan_free(out);
        return -1;
    }
    return 0;
}

void plan_free(struct plan *plan) {
    if (plan->block) give_block(plan->block, plan->size);
    *plan = (struct plan){0};
}

struct plan_op *plan_find(const struct plan *plan, uint16_t code) {
    for (uint32_t i = 0; i < plan->count; i++)
        if (plan->ops[i].code == code) return &plan->ops[i];
    return NULL;
}

bool plan_has(const struct wire_bytes *bytes, uint16_t code) {
    struct wire_reader reader;
    struct wire_field op;
    wire_reader_init(&reader, bytes->data, bytes->len);
    while (wire_next(&reader, &op) > 0)
        if (op.id == code) return true;
    return false;
}
