/* The fields of a message: the shape of every payload on the supervisor socket and of every plan operation.
 *
 *   field  = u16 id | u32 length | length bytes          little-endian, no padding
 *   frame  = u32 length | u16 type | u16 zero | u32 tag | fields      (length counts what follows it)
 *
 * Lengths are 32 bits wide and bounded before anything is read or allocated (CVE-2021-43784). A reader never copies: it hands out
 * pointers into the received buffer. Unknown, truncated or trailing fields are errors of the reader's caller to report, never skipped. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gen/messages.h>

#define WIRE_FRAME_HEADER 12u

struct wire_bytes {
    const uint8_t *data;
    uint32_t len;
};

/* One decoded field. */
struct wire_field {
    uint16_t id;
    struct wire_bytes value;
};

/* A cursor over the fields of one payload. */
struct wire_reader {
    const uint8_t *at;
    const uint8_t *end;
};

void wire_reader_init(struct wire_reader *r, const void *data, size_t len);

/* 1: a field was read; 0: the payload ended exactly; -1: truncated. */
int wire_next(struct wire_reader *r, struct wire_field *out);

/* Exact-width integers: false when the field has another length. */
bool wire_u8(const struct wire_field *f, uint8_t *out);
bool wire_u16(const struct wire_field *f, uint16_t *out);
bool wire_u32(const struct wire_field *f, uint32_t *out);
bool wire_u64(const struct wire_field *f, uint64_t *out);
bool wire_i32(const struct wire_field *f, int32_t *out);

/* A string is sent without its NUL and must contain none; this copies it into `out` of `size` bytes. False when it does not fit. */
bool wire_string(const struct wire_field *f, char *out, size_t size);

/* A writer over a caller-owned buffer; `overflow` is set instead of writing past the end. */
struct wire_writer {
    uint8_t *data;
    size_t size;
    size_t len;
    bool overflow;
};

void wire_writer_init(struct wire_writer *w, void *data, size_t size);
void wire_put_bytes(struct wire_writer *w, uint16_t id, const void *data, uint32_t len);
void wire_put_string(struct wire_writer *w, uint16_t id, const char *s);
void wire_put_u8(struct wire_writer *w, uint16_t id, uint8_t v);
void wire_put_u32(struct wire_writer *w, uint16_t id, uint32_t v);
void wire_put_u64(struct wire_writer *w, uint16_t id, uint64_t v);
void wire_put_i32(struct wire_writer *w, uint16_t id, int32_t v);

/* Frame framing: begin reserves the header, end fills in the length. */
void wire_frame_begin(struct wire_writer *w, uint16_t type, uint32_t tag);
void wire_frame_end(struct wire_writer *w);

/* Loads and stores, little-endian, unaligned. */
uint16_t wire_load16(const uint8_t *p);
uint32_t wire_load32(const uint8_t *p);
uint64_t wire_load64(const uint8_t *p);
