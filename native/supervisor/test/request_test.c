/* The one decoder of requests: what is cut, doubled, missing or unknown is refused. */
#include <string.h>

#include "test/tap.h"
#include "wire/request.h"

static uint8_t frame[4096];

static size_t exec_request(void) {
    struct wire_writer w;
    wire_writer_init(&w, frame, sizeof frame);
    wire_frame_begin(&w, REQUEST_EXEC, 7);
    wire_put_string(&w, 1, "box");
    wire_put_bytes(&w, 2, "plan", 4);
    wire_put_u32(&w, 3, 1000);
    wire_put_u32(&w, 4, 16);
    wire_frame_end(&w);
    return w.len;
}

static const char *decode(struct wire_writer *w, struct request *r) {
    wire_frame_end(w);
    return request_decode(w->data, w->len, r);
}

static void test_whole(void) {
    struct request r;
    char id[CONTAINER_ID_MAX + 1];
    size_t len = exec_request();
    ok(!request_decode(frame, len, &r) && r.type == REQUEST_EXEC && r.tag == 7, "a request is decoded");
    ok(request_container_id(&r, id) && strcmp(id, "box") == 0 && request_u32(&r, 3) == 1000, "with its fields");
    bool refused = true;
    for (size_t cut = 0; cut < len; cut++) {
        refused = refused && request_decode(frame, cut, &r) != NULL;
        if (cut < WIRE_FRAME_HEADER) continue;
        /* a frame whose own length agrees, so that the fields are what is cut */
        uint8_t copy[sizeof frame];
        memcpy(copy, frame, cut);
        copy[0] = (uint8_t)(cut - 4);
        refused = refused && request_decode(copy, cut, &r) != NULL;
    }
    ok(refused, "cut at any byte it is refused");
}

static void test_fields(void) {
    struct request r;
    struct wire_writer w;
    wire_writer_init(&w, frame, sizeof frame);
    wire_frame_begin(&w, REQUEST_START, 1);
    wire_put_string(&w, 1, "a");
    wire_put_string(&w, 1, "a");
    ok(strcmp(decode(&w, &r), "duplicate field") == 0, "a doubled field is refused");
    wire_writer_init(&w, frame, sizeof frame);
    wire_frame_begin(&w, REQUEST_START, 1);
    ok(strcmp(decode(&w, &r), "missing field") == 0, "a missing field is refused");
    wire_writer_init(&w, frame, sizeof frame);
    wire_frame_begin(&w, REQUEST_START, 1);
    wire_put_bytes(&w, 1, "a\0b", 3);
    ok(strcmp(decode(&w, &r), "malformed field") == 0, "a string with a NUL is refused");
    wire_writer_init(&w, frame, sizeof frame);
    wire_frame_begin(&w, REQUEST_START, 0);
    wire_put_string(&w, 1, "a");
    ok(strcmp(decode(&w, &r), "request without a tag") == 0, "a request with the tag of events is refused");
    wire_writer_init(&w, frame, sizeof frame);
    wire_frame_begin(&w, 0x7777, 1);
    ok(strcmp(decode(&w, &r), "unknown request") == 0, "an unknown request is refused");
    wire_writer_init(&w, frame, sizeof frame);
    wire_frame_begin(&w, REQUEST_LIST, 1);
    wire_put_u8(&w, 1, 1);
    ok(strcmp(decode(&w, &r), "unknown field") == 0, "an unknown field is refused");
}

static void test_ids(void) {
    static const char *const bad[] = {"", ".", "..", ".x", "a/b", "a b", "a\n"};
    struct request r;
    struct wire_writer w;
    char id[CONTAINER_ID_MAX + 1], longest[CONTAINER_ID_MAX + 2];
    bool refused = true;
    for (size_t i = 0; i <= sizeof bad / sizeof *bad; i++) {
        memset(longest, 'a', sizeof longest - 1);
        longest[sizeof longest - 1] = 0;
        wire_writer_init(&w, frame, sizeof frame);
        wire_frame_begin(&w, REQUEST_START, 1);
        wire_put_string(&w, 1, i < sizeof bad / sizeof *bad ? bad[i] : longest);
        refused = refused && !decode(&w, &r) && !request_container_id(&r, id);
    }
    ok(refused, "a container id that is no plain file name is refused");
}

int main(void) {
    test_whole();
    test_fields();
    test_ids();
    return done();
}
