#include "wire/request.h"

#include <string.h>

/* Kinds of a field: string, bytes, integers, flag (0 or 1), repeated string. */
enum kind { NONE, STRING, BYTES, U8, U32, FLAG, STRINGS };

#include <gen/message_shapes.h>

static const uint8_t *kinds_of(uint16_t type) {
    for (size_t i = 0; i < sizeof request_shapes / sizeof *request_shapes; i++)
        if (request_shapes[i].type == type) return request_shapes[i].kind;
    return NULL;
}

static bool well_formed(enum kind kind, const struct wire_bytes *v) {
    switch (kind) {
    case STRING:
    case STRINGS:
        return v->len == 0 || !memchr(v->data, 0, v->len);
    case BYTES:
        return true;
    case U8:
        return v->len == 1;
    case U32:
        return v->len == 4;
    case FLAG:
        return v->len == 1 && v->data[0] <= 1;
    case NONE:
        break;
    }
    return false;
}

static const char *decode_fields(const uint8_t *kinds, struct request *out) {
    struct wire_reader reader;
    struct wire_field field;
    int more;
    wire_reader_init(&reader, out->payload.data, out->payload.len);
    while ((more = wire_next(&reader, &field)) > 0) {
        if (field.id == 0 || field.id >= REQUEST_FIELDS || kinds[field.id] == NONE) return "unknown field";
        enum kind kind = kinds[field.id];
        if (!well_formed(kind, &field.value)) return "malformed field";
        if (out->field[field.id].data && kind != STRINGS) return "duplicate field";
        if (!out->field[field.id].data) out->field[field.id] = field.value;
    }
    if (more < 0) return "truncated field";
    for (unsigned id = 1; id < REQUEST_FIELDS; id++)
        if (kinds[id] != NONE && kinds[id] != STRINGS && !out->field[id].data) return "missing field";
    return NULL;
}

const char *request_decode(const uint8_t *frame, size_t len, struct request *out) {
    memset(out, 0, sizeof *out);
    if (len < WIRE_FRAME_HEADER || len > WIRE_FRAME_MAX || wire_load32(frame) != len - 4) return "malformed frame";
    out->type = wire_load16(frame + 4);
    out->tag = wire_load32(frame + 8);
    out->payload = (struct wire_bytes){frame + WIRE_FRAME_HEADER, (uint32_t)(len - WIRE_FRAME_HEADER)};
    if (wire_load16(frame + 6) != 0) return "malformed frame";
    if (out->tag == 0) return "request without a tag";
    const uint8_t *kinds = kinds_of(out->type);
    return kinds ? decode_fields(kinds, out) : "unknown request";
}

uint8_t request_u8(const struct request *r, unsigned id) { return r->field[id].data[0]; }

uint32_t request_u32(const struct request *r, unsigned id) { return wire_load32(r->field[id].data); }

bool request_string(const struct request *r, unsigned id, char *out, size_t size) {
    struct wire_field field = {.id = (uint16_t)id, .value = r->field[id]};
    return wire_string(&field, out, size);
}

bool request_each(struct wire_reader *reader, unsigned id, struct wire_bytes *out) {
    struct wire_field field;
    while (wire_next(reader, &field) > 0) {
        if (field.id != id) continue;
        *out = field.value;
        return true;
    }
    return false;
}

bool request_container_id(const struct request *r, char out[CONTAINER_ID_MAX + 1]) {
    if (!request_string(r, 1, out, CONTAINER_ID_MAX + 1) || out[0] == 0 || out[0] == '.') return false;
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return out[strspn(out, allowed)] == 0;
}
