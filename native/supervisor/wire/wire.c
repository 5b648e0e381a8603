#include "wire/wire.h"

#include <string.h>

uint16_t wire_load16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

uint32_t wire_load32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t wire_load64(const uint8_t *p) { return (uint64_t)wire_load32(p) | (uint64_t)wire_load32(p + 4) << 32; }

void wire_reader_init(struct wire_reader *r, const void *data, size_t len) {
    r->at = data;
    r->end = r->at + len;
}

int wire_next(struct wire_reader *r, struct wire_field *out) {
    size_t left = (size_t)(r->end - r->at);
    if (left == 0) return 0;
    if (left < 6) return -1;
    uint32_t len = wire_load32(r->at + 2);
    if (len > left - 6) return -1;
    out->id = wire_load16(r->at);
    out->value = (struct wire_bytes){r->at + 6, len};
    r->at += 6 + (size_t)len;
    return 1;
}

bool wire_u8(const struct wire_field *f, uint8_t *out) {
    if (f->value.len != 1) return false;
    *out = f->value.data[0];
    return true;
}

bool wire_u16(const struct wire_field *f, uint16_t *out) {
    if (f->value.len != 2) return false;
    *out = wire_load16(f->value.data);
    return true;
}

bool wire_u32(const struct wire_field *f, uint32_t *out) {
    if (f->value.len != 4) return false;
    *out = wire_load32(f->value.data);
    return true;
}

bool wire_u64(const struct wire_field *f, uint64_t *out) {
    if (f->value.len != 8) return false;
    *out = wire_load64(f->value.data);
    return true;
}

bool wire_i32(const struct wire_field *f, int32_t *out) {
    uint32_t raw;
    if (!wire_u32(f, &raw)) return false;
    memcpy(out, &raw, sizeof raw);
    return true;
}

bool wire_string(const struct wire_field *f, char *out, size_t size) {
    if (f->value.len >= size || (f->value.len > 0 && memchr(f->value.data, 0, f->value.len))) return false;
    if (f->value.len > 0) memcpy(out, f->value.data, f->value.len);
    out[f->value.len] = 0;
    return true;
}

void wire_writer_init(struct wire_writer *w, void *data, size_t size) {
    *w = (struct wire_writer){data, size, 0, false};
}

static void put_raw(struct wire_writer *w, const void *data, size_t len) {
    if (w->overflow || len > w->size - w->len) {
        w->overflow = true;
        return;
    }
    if (len > 0) memcpy(w->data + w->len, data, len);
    w->len += len;
}

static void put_int(struct wire_writer *w, uint64_t v, size_t width) {
    uint8_t b[8];
    for (size_t i = 0; i < width; i++) b[i] = (uint8_t)(v >> (8 * i));
    put_raw(w, b, width);
}

void wire_put_bytes(struct wire_writer *w, uint16_t id, const void *data, uint32_t len) {
    put_int(w, id, 2);
    put_int(w, len, 4);
    put_raw(w, data, len);
}

void wire_put_string(struct wire_writer *w, uint16_t id, const char *s) {
    wire_put_bytes(w, id, s, (uint32_t)strlen(s));
}

static void put_int_field(struct wire_writer *w, uint16_t id, uint64_t v, uint32_t width) {
    put_int(w, id, 2);
    put_int(w, width, 4);
    put_int(w, v, width);
}

void wire_put_u8(struct wire_writer *w, uint16_t id, uint8_t v) { put_int_field(w, id, v, 1); }
void wire_put_u32(struct wire_writer *w, uint16_t id, uint32_t v) { put_int_field(w, id, v, 4); }
void wire_put_u64(struct wire_writer *w, uint16_t id, uint64_t v) { put_int_field(w, id, v, 8); }
void wire_put_i32(struct wire_writer *w, uint16_t id, int32_t v) { put_int_field(w, id, (uint32_t)v, 4); }

void wire_frame_begin(struct wire_writer *w, uint16_t type, uint32_t tag) {
    put_int(w, 0, 4);
    put_int(w, type, 2);
    put_int(w, 0, 2);
    put_int(w, tag, 4);
}

void wire_frame_end(struct wire_writer *w) {
    if (w->overflow) return;
    uint32_t len = (uint32_t)(w->len - 4);
    for (size_t i = 0; i < 4; i++) w->data[i] = (uint8_t)(len >> (8 * i));
}
