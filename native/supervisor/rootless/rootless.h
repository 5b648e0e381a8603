/* The namespaces in which an ordinary user's daemon runs: made at its first start, entered again at every later one, because its pods
 * live on in them. See docs/rootless.md. */
#pragma once

/* What to do, as the daemon has decided it: lists of words, each ended by NULL. A word "PID" stands for the process in the namespaces. */
struct rootless_plan {
    const char *record; /* file with that process's pid, locked as long as it lives */
    char **uid_map;     /* command that maps users; none: the user's own ID becomes root's, and there is no other */
    char **gid_map;
    char **network; /* command that connects the network namespace; none: it has a loopback interface alone */
    char **binds;   /* pairs of source and destination */
    char **program; /* what to become in there */
};

/* `jangada-pod rootless RECORD UID-MAP… -- GID-MAP… -- NETWORK… -- BINDS… -- PROGRAM…` */
int rootless_main(int argc, char **argv);
