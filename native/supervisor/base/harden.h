/* What the program does to itself before it does anything else. */
#pragma once

#include <stddef.h>

/* Continues in a sealed, anonymous copy of the program: a container that gets hold of /proc/<pid>/exe can change nothing
 * (CVE-2019-5736). Returns when this is already the copy; a failure ends the program with a message. */
void harden_seal_program(char *const argv[]);

/* Remembers where the command line is, so that each role can be named in ps. */
void harden_remember_title(char **argv);
void harden_set_title(const char *title);

/* Not dumpable, subreaper, own session, cwd /, harmless signals, no stray descriptors above `keep`. */
void harden_process(void);

/* A node that gives huge pages to everybody would give every supervisor megabytes that it never uses. Unlike PR_SET_THP_DISABLE this is
 * not passed on to the programs of containers. */
void harden_small_pages(void *start, size_t size);
void harden_small_static_pages(void);

/* /dev/null, proven to be the character device 1:3 (CVE-2025-31133); -1 with errno. */
int harden_open_null(void);

/* Makes the kernel's OOM killer look elsewhere as far as it is allowed; returns the value there was before. */
int harden_oom_score(void);
