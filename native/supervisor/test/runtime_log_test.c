/* What runtimes write into their logs, and what is told of it. */
#include <string.h>

#include "runtime/log.h"
#include "test/tap.h"

static char said[64];

static const char *message(const char *text) {
    said[0] = 0;
    return runtime_log_message(text, strlen(text), said, sizeof said) ? said : NULL;
}

static bool is(const char *text, const char *wanted) {
    const char *got = message(text);
    return wanted ? got && strcmp(got, wanted) == 0 : !got;
}

int main(void) {
    ok(is("{\"level\":\"error\",\"msg\":\"no\",\"time\":\"t\"}\n", "no"), "as runc writes it");
    ok(is("{ \"msg\" : \"no such file\" , \"level\" : \"error\" }\n", "no such file"), "with spaces");
    ok(is("{\"msg\":\"first\"}\n{\"msg\":\"last\"}\n{\"level\":\"x\"}\n", "last"), "the last message counts");
    ok(is("{\"msg\":\"exec: \\\"a\\\\b\\\"\\n\\u00e9!\"}", "exec: \"a\\b\" ?!"), "escapes");
    ok(is("", NULL) && is("{}\n", NULL) && is("not JSON", NULL), "no message");
    ok(is("{\"msg\"", NULL) && is("{\"msg\":", NULL) && is("{\"msg\":\"", NULL) && is("{\"msg\":1}", NULL),
       "cut short");
    ok(is("{\"msg\":\"cut\\", "cut") && is("{\"msg\":\"cut\\u00", "cut?"), "cut short in an escape");
    char line[512] = "{\"msg\":\"";
    memset(line + strlen(line), 'x', 400);
    ok(message(line) && strlen(said) == sizeof said - 1, "a long message is cut");
    return done();
}
