#include "runtime/log.h"

#include <string.h>

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    return at;
}

/* The value of "msg" in one line, unescaped; what is not ASCII stays as it is, other escapes become '?'. */
static bool message_of(const char *line, const char *end, char *out, size_t size) {
    static const char key[] = "\"msg\"";
    const char *at = memmem(line, (size_t)(end - line), key, sizeof key - 1);
    size_t used = 0;
    if (!at) return false;
    at = skip_space(at + sizeof key - 1, end);
    if (at == end || *at++ != ':') return false;
    at = skip_space(at, end);
    if (at == end || *at++ != '"') return false;
    for (; at < end && *at != '"' && used + 1 < size; at++) {
        char c = *at;
        if (c == '\\') {
            if (++at == end) break;
            c = *at == 'n' || *at == 't' ? ' ' : *at == '"' || *at == '\\' || *at == '/' ? *at : '?';
            if (*at == 'u') at += end - at > 4 ? 4 : end - at - 1;
        }
        out[used++] = c;
    }
    out[used] = 0;
    return used > 0;
}

bool runtime_log_message(const char *text, size_t len, char *out, size_t size) {
    const char *end = text + len;
    bool found = false;
    for (const char *line = text; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        found = message_of(line, stop, out, size) || found;
        line = stop + 1;
    }
    return found;
}
