/* One invocation of an external runtime, and the files it is told about: in the bundle, named after the caller. */
#pragma once
#include "build/builder.h"

/* Becomes the runtime: `arguments` come after the global options, the container's name after them. */
_Noreturn void runtime_exec(const struct plan_op *runtime, const char *const *arguments);

/* Runs it to its end with these descriptors as stdio; b->console is what came over the console socket. 0, or -1 with b->err. */
int runtime_call(struct builder *b, const struct plan_op *runtime, const char *const *arguments, const int stdio[3]);

/* "<bundle>/<what>.<pid of this process>" */
const char *runtime_file(const struct plan_op *runtime, const char *what, char *buffer, size_t size);
/* The number in the file that --pid-file named; -1 with b->err. Removes the file. */
pid_t runtime_read_pid(struct builder *b, const struct plan_op *runtime);
/* A socket for --console-socket, whose name is relative to the bundle; kept in b->console until the terminal has come. */
int runtime_console_listen(struct builder *b, const struct plan_op *runtime, const char **name);
