#include "test/tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

bool ok(bool good, const char *name, ...) {
    va_list ap;
    va_start(ap, name);
    printf("%sok %d - ", good ? "" : "not ", ++tap_count);
    vprintf(name, ap);
    putchar('\n');
    fflush(stdout);
    va_end(ap);
    tap_failed += !good;
    return good;
}

int done(void) {
    printf("1..%d\n", tap_count);
    return tap_failed != 0;
}

int done_inside(void) { return tap_failed != 0; }

void done_by_child(int count, bool good) {
    tap_count += count;
    tap_failed += !good;
}

void same(const char *found, const char *wanted, const char *name) {
    if (!ok(strcmp(found, wanted) == 0, "%s", name)) printf("# found:  %s\n# wanted: %s\n", found, wanted);
}

void has(const char *text, const char *part, const char *name) {
    if (!ok(strstr(text, part) != NULL, "%s", name)) printf("# found:  %s\n# wanted: …%s…\n", text, part);
}
