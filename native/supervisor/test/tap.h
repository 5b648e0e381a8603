/* Test Anything Protocol, as much of it as these tests need. */
#pragma once
#include <stdbool.h>
#include <stdio.h>

static int tap_count, tap_failed;

static inline bool ok(bool good, const char *what) {
    printf("%sok %d - %s\n", good ? "" : "not ", ++tap_count, what);
    tap_failed += !good;
    return good;
}

static inline int done_testing(void) {
    printf("1..%d\n", tap_count);
    return tap_failed > 0;
}
