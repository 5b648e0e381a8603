#include "plan/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "plan/plan_check.h"

enum field_type {
    U8,
    U16,
    U32,
    U64,
    I32,
    FLAGS,
    STRING,
    STRINGS,
    FILE_SYSTEM,
    PATH,
    PATHS,
    PLAIN_PATH,
    PLAIN_PATHS,
    BYTES
};

/* One field of an operation and where it goes. `min` and `max` bound a number, the pieces of `unit` bytes, the length of a string from
 * below, how often one may repeat from below; `max` of flags is all of them. */
struct field_shape {
    uint8_t id, type, optional, unit;
    uint16_t offset;
    int64_t min, max;
};

struct op_shape {
    uint16_t code;
    uint8_t kind; /* 0: the operation has no kind */
    const char *step;
    uint8_t first, count; /* of field_shapes */
    struct {
        uint16_t min, max;
    } times[PLAN_OF_KEPT];
};

#include <gen/plan_shapes.h>

static const struct op_shape *shape_of(uint16_t code, uint8_t kind) {
    for (size_t i = 0; i < sizeof op_shapes / sizeof op_shapes[0]; i++)
        if (op_shapes[i].code == code && op_shapes[i].kind == kind) return &op_shapes[i];
    return NULL;
}

static bool has_kind(uint16_t code) { return code == PLAN_MOUNT || code == PLAN_DEVICE; }

static bool listed(const char *word, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, list[i]) == 0) return true;
    return false;
}

bool plan_mountable_proc(const char *path) {
    return listed(path, mountable_proc, sizeof mountable_proc / sizeof mountable_proc[0]);
}

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

static bool good_path(const char *s) { return s[0] == '/' && strlen(s) <= LIMIT_PATH; }

static bool decode_number(const struct wire_field *f, const struct field_shape *shape, void *to) {
    int64_t value;
    switch (shape->type) {
    case U8:
        if (!wire_u8(f, to)) return false;
        value = *(uint8_t *)to;
        break;
    case U16:
        if (!wire_u16(f, to)) return false;
        value = *(uint16_t *)to;
        break;
    case I32:
        if (!wire_i32(f, to)) return false;
        value = *(int32_t *)to;
        break;
    case U64:
        return wire_u64(f, to);
    default:
        if (!wire_u32(f, to)) return false;
        value = *(uint32_t *)to;
        if (shape->type == FLAGS) return (value & ~shape->max) == 0;
    }
    return value >= shape->min && value <= shape->max;
}

static bool good_text(const char *s, const struct field_shape *shape) {
    switch (shape->type) {
    case FILE_SYSTEM:
        return listed(s, file_systems, sizeof file_systems / sizeof file_systems[0]);
    case PATH:
    case PATHS:
        return good_path(s);
    case PLAIN_PATH:
    case PLAIN_PATHS:
        return good_path(s) && !plan_has_dotdot(s);
    case STRING:
        return (int64_t)strlen(s) >= shape->min;
    default:
        return true;
    }
}

static bool is_list(const struct field_shape *shape) {
    return shape->type == STRINGS || shape->type == PATHS || shape->type == PLAIN_PATHS;
}

static bool decode_value(const struct wire_field *f, const struct field_shape *shape, void *to, struct arena *a) {
    if (shape->type == BYTES) {
        *(struct wire_bytes *)to = keep_bytes(a, f);
        uint32_t count = shape->unit ? f->value.len / shape->unit : 0;
        return !shape->unit || (f->value.len % shape->unit == 0 && count >= shape->min && count <= shape->max);
    }
    if (shape->type < STRING) return decode_number(f, shape, to);
    const char *s = f->value.len <= LIMIT_STRING ? keep_string(a, f) : NULL;
    if (!s || !good_text(s, shape)) return false;
    if (is_list(shape)) {
        ((struct plan_strings *)to)->at[((struct plan_strings *)to)->count++] = s;
        return true;
    }
    *(const char **)to = s;
    return true;
}

static const struct field_shape *field_of(const struct op_shape *shape, uint16_t id) {
    for (const struct field_shape *f = field_shapes + shape->first; f < field_shapes + shape->first + shape->count; f++)
        if (f->id == id) return f;
    return NULL;
}

/* Lists are contiguous: room for each is taken by counting its fields first. */
static void take_lists(const struct op_shape *shape, const struct wire_bytes *bytes, struct plan_op *op,
                       struct arena *a) {
    for (unsigned i = shape->first; i < shape->first + shape->count; i++) {
        if (!is_list(&field_shapes[i])) continue;
        struct plan_strings *list = (void *)((char *)op + field_shapes[i].offset);
        struct wire_reader r;
        struct wire_field f;
        list->at = a->list;
        wire_reader_init(&r, bytes->data, bytes->len);
        while (wire_next(&r, &f) == 1)
            if (f.id == field_shapes[i].id) a->list++;
        a->list++; /* the NULL that ends it */
    }
}

/* Everything that must be there is, and as often as it must. */
static bool is_complete(const struct op_shape *shape, const struct plan_op *op, uint32_t seen) {
    for (unsigned i = shape->first; i < shape->first + shape->count; i++) {
        const struct field_shape *field = &field_shapes[i];
        if (is_list(field)) {
            if (((const struct plan_strings *)(const void *)((const char *)op + field->offset))->count < field->min)
                return false;
        } else if (!field->optional && !(seen >> field->id & 1)) {
            return false;
        }
    }
    return true;
}

static bool decode_op(const struct wire_field *op_field, struct plan_op *op, struct arena *a) {
    struct wire_reader r;
    struct wire_field f;
    uint32_t seen = 0;
    *op = (struct plan_op){.code = op_field->id, .fd = -1};
    wire_reader_init(&r, op_field->value.data, op_field->value.len);
    if (has_kind(op->code) && (wire_next(&r, &f) != 1 || f.id != 1 || !wire_u8(&f, &op->kind) || op->kind == 0))
        return false;
    const struct op_shape *shape = shape_of(op->code, op->kind);
    if (!shape) return false;
    take_lists(shape, &op_field->value, op, a);
    int more;
    while ((more = wire_next(&r, &f)) == 1) {
        const struct field_shape *field = field_of(shape, f.id);
        if (!field || (!is_list(field) && seen >> field->id & 1)) return false;
        seen |= 1u << field->id;
        if (!decode_value(&f, field, (char *)op + field->offset, a)) return false;
    }
    return more == 0 && is_complete(shape, op, seen);
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

/* How often an operation is there. */
static int check_times(const struct plan *plan, enum plan_purpose purpose, struct error *err) {
    for (size_t i = 0; purpose != PLAN_OF_KEPT && i < sizeof op_shapes / sizeof op_shapes[0]; i++) {
        const struct op_shape *shape = &op_shapes[i];
        uint32_t found = 0;
        for (uint32_t n = 0; n < plan->count; n++)
            found += plan->ops[n].code == shape->code && plan->ops[n].kind == shape->kind;
        if (found < shape->times[purpose].min || found > shape->times[purpose].max)
            return error_refuse(err, EINVAL, found ? "too many, or not allowed here" : "missing", "plan", shape->step,
                                "operation");
    }
    return 0;
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
    if (check_times(out, purpose, err) < 0) {
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
