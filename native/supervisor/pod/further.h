/* A further process in a running container, from its building to its end. Whoever asks for one owns its streams: EXEC (exec.h) reads them
 * itself, OPEN_EXEC (stream_exec.h) hands them over. */
#pragma once
#include "plan/kept_plan.h"
#include "pod/container.h"

#define FURTHER_MAX \
    128u /* of each kind at once: their pipes are memory that no cgroup of the pod pays for, 40 MiB then */

struct further {
    struct process process;
    struct timer timer;
    int64_t deadline;   /* on the loop's clock, its building included; 0: none */
    bool timed_out;     /* it was killed at the deadline */
    struct error error; /* why it was not built */
    void (*on_executed)(struct further *f);
    void (*on_changed)(struct further *f); /* it has failed, ended or been killed: is it gone? */
};

void further_init(const struct build_env *env);

/* 0 when `c` can have one of this plan, of which *facts tell; `free_slot`: its owner has a place for it. */
int further_check(const struct wire_bytes *plan, const struct container *c, bool free_slot, struct plan_facts *facts,
                  struct error *err);

/* Neither streams nor a terminal. */
struct build_io further_io(void);
/* A pipe for descriptor `fd` of the process: our end, or -1 with errno. */
int further_pipe(struct build_io *io, int fd);

/* Closes the process's ends in `io`, whatever comes of it. `piped` is -1 with errno when a pipe could not be made. The callbacks and the
 * deadline must be set. 0, or -1 with *err and nothing to release. */
int further_begin(struct further *f, const struct wire_bytes *plan, struct container *c, struct build_io *io, int piped,
                  struct error *err);
void further_release(struct further *f);
