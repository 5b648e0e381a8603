#include "base/keyring.h"

#include <errno.h>

#include "base/error.h"
#include "base/kernel.h"

#define KEYCTL_JOIN_SESSION_KEYRING 1

int keyring_join_new(struct error *err) {
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0) return 0;
    /* A kernel without keyrings, an outer sandbox that forbids them, a full quota: what is kept is the supervisor's own, which is empty. */
    if (errno == ENOSYS || errno == EDQUOT || errno == EACCES || errno == EPERM) return 0;
    return error_fail(err, errno, "credentials", "session keyring", "new keyring");
}
