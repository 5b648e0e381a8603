#include "pod/tell.h"

static struct connection *connection;

void tell_init(struct connection *the_connection) { connection = the_connection; }

void tell_pid(uint16_t request, uint32_t tag, pid_t pid) {
    struct wire_writer w;
    message_begin(connection, &w, request | MESSAGE_REPLY, tag);
    wire_put_u32(&w, FIELD_CREATE_REPLY_PID, (uint32_t)pid); /* as in the others */
    message_send(connection, &w);
}

void tell_creating(struct container *c) {
    struct wire_writer w;
    message_begin(connection, &w, MESSAGE_CREATING, 0);
    wire_put_string(&w, FIELD_CREATING_ID, c->id);
    wire_put_u32(&w, FIELD_CREATING_PID, (uint32_t)c->process.pid);
    message_send(connection, &w);
}

void tell_created(struct container *c, uint32_t tag) {
    if (tag == 0) return;
    if (c->error.error)
        reply_error(connection, tag, &c->error);
    else
        tell_pid(REQUEST_CREATE, tag, c->process.pid);
}

void tell_started(struct container *c, uint32_t tag) {
    struct wire_writer w;
    if (tag == 0) return;
    if (c->error.error) {
        reply_error(connection, tag, &c->error);
        return;
    }
    message_begin(connection, &w, REQUEST_START | MESSAGE_REPLY, tag);
    wire_put_u64(&w, FIELD_START_REPLY_STARTED_AT, c->started_at);
    message_send(connection, &w);
}

void tell_exited(struct container *c) {
    struct wire_writer w;
    message_begin(connection, &w, MESSAGE_EXITED, 0);
    wire_put_string(&w, FIELD_EXITED_ID, c->id);
    wire_put_i32(&w, FIELD_EXITED_EXIT_CODE, c->exit_code);
    wire_put_u8(&w, FIELD_EXITED_OOM, c->oom);
    wire_put_u64(&w, FIELD_EXITED_EXITED_AT, c->exited_at);
    wire_put_string(&w, FIELD_EXITED_MESSAGE, c->error.error ? c->error.detail : "");
    message_send(connection, &w);
}

static uint8_t listed_state(enum container_state state) {
    switch (state) {
    case CONTAINER_CREATED:
    case CONTAINER_STARTING:
        return MESSAGE_LISTED_STATE_CREATED;
    case CONTAINER_RUNNING:
    case CONTAINER_ENDING:
        return MESSAGE_LISTED_STATE_RUNNING;
    case CONTAINER_EXITED:
        return MESSAGE_LISTED_STATE_EXITED;
    default:
        return 0;
    }
}

void tell_list(uint32_t tag, const struct sandbox *sandbox) {
    struct wire_writer w;
    message_begin(connection, &w, REQUEST_LIST | MESSAGE_REPLY, tag);
    for (struct container *c = container_next(NULL); c; c = container_next(c)) {
        uint8_t nested[1024];
        struct wire_writer n;
        if (listed_state(c->state) == 0 || c->create_failed) continue;
        wire_writer_init(&n, nested, sizeof nested);
        wire_put_string(&n, FIELD_LISTED_CONTAINER_ID, c->id);
        wire_put_u8(&n, FIELD_LISTED_CONTAINER_STATE, listed_state(c->state));
        wire_put_u32(&n, FIELD_LISTED_CONTAINER_PID, c->process.ended ? 0 : (uint32_t)c->process.pid);
        wire_put_u64(&n, FIELD_LISTED_CONTAINER_CREATED_AT, c->created_at);
        wire_put_u64(&n, FIELD_LISTED_CONTAINER_STARTED_AT, c->started_at);
        wire_put_u64(&n, FIELD_LISTED_CONTAINER_EXITED_AT, c->state == CONTAINER_EXITED ? c->exited_at : 0);
        wire_put_i32(&n, FIELD_LISTED_CONTAINER_EXIT_CODE, c->exit_code);
        wire_put_u8(&n, FIELD_LISTED_CONTAINER_OOM, c->oom);
        wire_put_string(&n, FIELD_LISTED_CONTAINER_MESSAGE, c->error.error ? c->error.detail : "");
        wire_put_bytes(&w, FIELD_LIST_REPLY_CONTAINERS, nested, (uint32_t)n.len);
    }
    wire_put_u8(&w, FIELD_LIST_REPLY_SANDBOX, sandbox->ready);
    wire_put_u32(&w, FIELD_LIST_REPLY_POD_INIT_PID, (uint32_t)sandbox->init.pid);
    message_send(connection, &w);
}
