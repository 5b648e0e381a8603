/* Test Anything Protocol, as much of it as these tests need. */
#pragma once
#include <stdbool.h>

__attribute__((format(printf, 2, 3))) bool ok(bool good, const char *name, ...);
int done(void);
/* The same for a part in a child: its exit code, and what its parent makes of it. */
int done_inside(void);
void done_by_child(int count, bool good);
void same(const char *found, const char *wanted, const char *name);
void has(const char *text, const char *part, const char *name);
