/* The pty of a container's process: always of the container's own devpts, never by the name of its slave (CVE-2025-52565). */
#pragma once
#include "build/builder.h"

/* Opens master and slave, makes the slave stdin, stdout and stderr. With `console`, binds the slave to /dev/console too. */
int terminal_open(struct builder *b, const struct plan_credentials *c, bool console);

/* In the process itself, once it leads its session. */
int terminal_control(struct error *err);
