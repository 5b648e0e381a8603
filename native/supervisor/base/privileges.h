/* What this program is. Looked at once, by the spawner: every supervisor and builder is a fork of it. */
#pragma once
#include <stdbool.h>

/* Root in the host's user namespace; otherwise an ordinary user's, in one of its own (docs/rootless.md). */
bool privileges_of_host(void);

/* False in a namespace of a single ID: there, processes keep the groups of whoever started the daemon (user_namespaces(7), "setgroups"). */
bool privileges_set_groups(void);
