/* The requests of proto/supervisor.md as a table, and the one decoder that checks a payload against it. */
#pragma once
#include "wire/wire.h"

enum request_type {
    REQUEST_HELLO = 0x0001,
    REQUEST_SPAWN = 0x0010,
    REQUEST_RUN = 0x0011,
    REQUEST_SANDBOX = 0x0020,
    REQUEST_CREATE = 0x0021,
    REQUEST_START = 0x0022,
    REQUEST_SIGNAL = 0x0023,
    REQUEST_KILL = 0x0024,
    REQUEST_EXEC = 0x0025,
    REQUEST_REOPEN_LOG = 0x0026,
    REQUEST_UPDATE = 0x0027,
    REQUEST_REMOVE = 0x0028,
    REQUEST_LIST = 0x0029,
    REQUEST_SHUTDOWN = 0x002a,
    REQUEST_OPEN_EXEC = 0x0030,
    REQUEST_WAIT_EXEC = 0x0031,
    REQUEST_ATTACH = 0x0032,
    REQUEST_RESIZE = 0x0033,
    REQUEST_CLOSE_STDIN = 0x0034,
    REQUEST_CONNECT = 0x0035,
    MESSAGE_EXEC_OUTPUT = 0x0040,
    MESSAGE_EXITED = 0x0041,
    REQUEST_SHARE_PID = 0x0060,
    REQUEST_SYSCTLS = 0x0061,
    REQUEST_HOLD = 0x0070,
    REQUEST_RELEASE = 0x0071,
    MESSAGE_REPLY = 0x8000,
    MESSAGE_ERROR = 0xffff,
};

#define REQUEST_FIELDS 41u /* ids 1..40 */
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
