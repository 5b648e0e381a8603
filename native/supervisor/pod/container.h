/* A container from CREATE to REMOVE.
 *
 *              ready            START             executed            ended             drained
 *   creating ────────▶ created ───────▶ starting ──────────▶ running ───────▶ ending ──────────▶ exited
 *       │ failed          │ ended           │ failed, ended                     ▲
 *       └─────────────────┴─────────────────┴───────────────────────────────────┘
 *
 * ending: everything in the cgroup is killed, the pipes are read to their end (DRAIN_MS at most; twice that if somebody attached does not
 * keep up), the log is flushed, an external runtime forgets it, the cgroup is removed, the exit is recorded; only then is it told. A
 * container whose creation failed goes the same way and leaves nothing. */
#pragma once
#include "base/error.h"
#include "build/env.h"
#include "loop/loop.h"
#include "pod/log.h"
#include "pod/oom.h"
#include "pod/process.h"
#include "wire/request.h"

#define CONTAINERS_MAX 256u

enum container_state {
    CONTAINER_FREE,
    CONTAINER_CREATING,
    CONTAINER_CREATED,
    CONTAINER_STARTING,
    CONTAINER_RUNNING,
    CONTAINER_ENDING,
    CONTAINER_EXITED,
    CONTAINER_STATES,
};

struct container;

struct output {
    struct source source;
    struct log_stream log;
    struct container *container;
    bool widened; /* its pipe has been made as large as it gets */
    bool hung_up; /* nobody has the terminal open: it is looked at again when the timer fires */
    struct timer timer;
};

struct container {
    enum container_state state;
    char id[CONTAINER_ID_MAX + 1];
    struct process process;
    struct output output[2]; /* stdout (or the terminal), stderr */
    int stdin_fd;            /* our end, kept open for those who will attach */
    bool stdin_once;
    bool terminal;
    bool filtered;          /* has a seccomp filter */
    struct wire_bytes kept; /* the operations that a live container needs: plan/kept_plan.h */
    struct timer timer;
    uint32_t create_tag, start_tag; /* 0: nobody waits for the answer */
    bool create_failed;
    bool awaiting;                            /* hooks that the daemon runs */
    uint32_t hooks_create_ms, hooks_start_ms; /* how much longer it may take */
    bool killed;                              /* the rest of the cgroup has been killed after the process ended */
    bool left_behind;                         /* attached clients that did not keep up hold its outputs up no longer */
    bool deleting;                            /* its external runtime has been asked to forget it */
    struct child deletion;
    int64_t drain_until, delete_until, remove_until; /* 0: not begun */
    uint64_t created_at, started_at, exited_at;
    int32_t exit_code;
    bool oom;
    struct oom oom_kills;
    struct error error;  /* why creation or start failed; error 0: they did not */
    struct log_file log; /* last: the rest of its path is never touched */
} __attribute__((aligned(16)));

/* What a container needs from its pod, and whom it tells. */
struct container_host {
    struct build_env env;
    const char *directory;
    void (*on_creating)(struct container *c);              /* hooks are awaited: container_continue */
    void (*on_created)(struct container *c, uint32_t tag); /* error set: it failed */
    void (*on_started)(struct container *c, uint32_t tag);
    void (*on_exited)(struct container *c);
    void (*on_gone)(void); /* a container has left the states in which it has processes */
};

/* How long building and starting may take; tests shorten them. */
extern struct container_deadlines {
    int64_t create_ms, start_ms;
} container_deadlines;

void container_init(struct container_host *host);

/* The container with this id, in any state but free; NULL if there is none. */
struct container *container_find(const char *id);
/* The containers in use: start with NULL. */
struct container *container_next(struct container *after);

/* Starts the building; on_created is called later, or -1 with *err is returned and nothing is left. */
int container_create(const struct request *r, const char *id, struct error *err);
/* What was awaited has succeeded, or the creation is to fail. */
int container_continue(struct container *c, bool failed, struct error *err);
int container_start(struct container *c, uint32_t tag, struct error *err);
int container_signal(struct container *c, int signal, struct error *err);
void container_kill(struct container *c);
int container_resize(struct container *c, uint32_t width, uint32_t height, struct error *err);
/* Forgets an exited container and its record. */
void container_remove(struct container *c);
/* True while it has, or may have, processes. */
bool container_is_live(const struct container *c);
bool container_any_is_live(void);
/* Those who asked are gone: nobody is answered any more. */
void container_forget_tags(void);
