/* The one decoder that checks a payload against the requests of proto/messages.json. */
#pragma once
#include "wire/wire.h"

#define REQUEST_FIELDS 41u /* room for ids 1..40 */
#define CONTAINER_ID_MAX 64u

/* A decoded request; it points into the received frame. */
struct request {
    uint16_t type;
    uint32_t tag;
    struct wire_bytes payload;
    struct wire_bytes field[REQUEST_FIELDS]; /* by id; the first one of a repeated field */
};

/* Decodes one frame (header included). NULL, or what is malformed about it; out->tag is set as soon as it is known. */
const char *request_decode(const uint8_t *frame, size_t len, struct request *out);

/* Values of fields that request_decode has checked: present and of the right width. */
uint8_t request_u8(const struct request *r, unsigned id);
uint32_t request_u32(const struct request *r, unsigned id);

/* Copies a string; false when it does not fit. */
bool request_string(const struct request *r, unsigned id, char *out, size_t size);

/* The values of a repeated field, in order: start with a reader over r->payload. False when there are no more. */
bool request_each(struct wire_reader *reader, unsigned id, struct wire_bytes *out);

/* Letters, digits, '-', '_', '.', not first a '.': an id is also a file name. */
bool request_container_id(const struct request *r, char out[CONTAINER_ID_MAX + 1]);
