/* Children and who wants to know of their end.
 *
 * The supervisor is a subreaper: besides the processes it knows, it inherits orphans. While a process is under construction a child
 * may exist whose pid is not known yet (build/message.h, PAYLOAD), so orphans are then left as zombies: a pid that nobody waited for cannot be
 * reused, and the number in a PAYLOAD message still means the process it meant. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct child {
    pid_t pid; /* 0: none; cleared before `ended` is called */
    void (*ended)(struct child *child, int wait_status);
    struct child *next;
};

/* Installs the SIGCHLD handler of this process. Handlers, unlike ignored signals and masks, do not survive execve. */
int child_init(void);
/* In a fork that has no use for what the parent was woken by. */
void child_leave(void);

/* True when `pid` is a child of ours that nobody watches: the only kind of process a builder may name. */
bool child_is_unclaimed(pid_t pid);

void child_watch(struct child *child, pid_t pid, void (*ended)(struct child *, int));
void child_forget(struct child *child);

/* Between these two, unknown children are not reaped. */
void child_construction_begin(void);
void child_construction_end(void);

/* 128 + signal for a killed process, as a shell reports it. */
int child_exit_code(int wait_status);
