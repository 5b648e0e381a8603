/* A process of a container from its building to its end: the handshake, the children to wait for, one pidfd. */
#pragma once
#include "base/error.h"
#include "build/build.h"
#include "loop/child.h"
#include "pod/handshake.h"

struct process {
    struct handshake handshake;
    struct child builder;
    struct child payload; /* only when the builder named one */
    pid_t pid;            /* valid until `ended`: nobody else reaps it */
    int pidfd;
    bool ended;
    bool payload_ended;                  /* but its builder has not spoken its last word yet */
    int status;                          /* as waitpid */
    void (*on_hooks)(struct process *p); /* NULL: has none */
    void (*on_ready)(struct process *p);
    void (*on_executed)(struct process *p);
    void (*on_failed)(struct process *p, const struct error *err);
    void (*on_ended)(struct process *p); /* again when the builder ends after its payload */
};

void process_init(struct process *p);
/* Takes over what a build_… call started. The callbacks must be set. */
int process_begin(struct process *p, const struct build_process *built, int sync, bool create, bool terminal);
void process_kill(struct process *p);
/* SIGKILL to the process group that it leads. */
void process_kill_group(struct process *p);
/* Neither it nor its builder is left. */
bool process_is_gone(const struct process *p);
void process_close(struct process *p);
