#include "pod/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

#define KEY_MAX 255u
#define VALUE_MAX 1023u
#define ROOT "/proc/sys/"

struct setting {
    char key[KEY_MAX + 1];
    char value[VALUE_MAX + 1];
};

static bool split(const struct wire_bytes *bytes, struct setting *out) {
    const uint8_t *equals = bytes->len > 0 ? memchr(bytes->data, '=', bytes->len) : NULL;
    if (!equals) return false;
    size_t key = (size_t)(equals - bytes->data), value = bytes->len - key - 1;
    if (key == 0 || key > KEY_MAX || value > VALUE_MAX) return false;
    memcpy(out->key, bytes->data, key);
    memcpy(out->value, equals + 1, value);
    out->key[key] = out->value[value] = 0;
    return strlen(out->key) == key && strlen(out->value) == value;
}

/* As sysctl(8) writes it: '.' between names, '/' for a '.' in one (an interface may have it). Neither begins, ends or follows another, so
 * no name is empty, "." or "..". CVE-2022-0811: no control character in the value. */
static bool well_formed(const struct setting *s) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    for (const char *at = s->key; *at; at++) {
        size_t name = strspn(at, allowed);
        at += name;
        if (name == 0 || (*at && *at != '.' && *at != '/') || (*at && !at[1])) return false;
        if (!*at) break;
    }
    for (const char *at = s->value; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f) return false;
    return true;
}

static bool starts(const char *key, const char *prefix) { return strncmp(key, prefix, strlen(prefix)) == 0; }

/* CVE-2022-0532: a parameter is the pod's only if the namespace it lives in is. */
static bool belongs(const char *key, const struct own_namespaces *own) {
    if (starts(key, "net.")) return own->network;
    if (starts(key, "kernel.shm") || starts(key, "kernel.msg") || strcmp(key, "kernel.sem") == 0 ||
        starts(key, "fs.mqueue."))
        return own->ipc;
    return false;
}

int sysctl_check(const struct wire_bytes *bytes, const struct own_namespaces *own, struct error *err) {
    struct setting s;
    if (!split(bytes, &s) || !well_formed(&s))
        return error_set(err, EINVAL, "sysctl", "sysctl is not key=value without control characters: %.*s",
                         (int)(bytes->len < 100 ? bytes->len : 100), (const char *)bytes->data);
    if (!belongs(s.key, own))
        return error_set(err, EPERM, "sysctl", "sysctl is not of a namespace that is the pod's own: %s", s.key);
    return 0;
}

int sysctl_write(const struct wire_bytes *bytes, struct error *err) {
    struct setting s;
    char path[sizeof ROOT + KEY_MAX];
    if (!split(bytes, &s)) return error_set(err, EINVAL, "sysctl", "sysctl is not key=value");
    int len = snprintf(path, sizeof path, ROOT "%s", s.key);
    for (int i = (int)sizeof ROOT - 1; i < len; i++) path[i] = path[i] == '.' ? '/' : path[i] == '/' ? '.' : path[i];
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, s.value, strlen(s.value));
    int error = errno;
    if (fd >= 0) close(fd);
    return n < 0 ? error_set(err, error, "sysctl", "sysctl %s=%s", s.key, s.value) : 0;
}
