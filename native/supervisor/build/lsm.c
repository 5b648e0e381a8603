#include "build/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/mount.h"

/* Writes one attribute of this process and reads it back. procfs is a private instance without anything but processes, so that no
 * mount or link of the container can put another file in the way (CVE-2019-16884, CVE-2025-52881). */
static int write_attribute(int proc, const char *name, const char *value, const char *label) {
    char back[512] = "";
    uint64_t how = K_RESOLVE_BENEATH | K_RESOLVE_NO_MAGICLINKS;
    int fd = k_openat2(proc, name, O_RDWR, how);
    if (fd < 0) return -1;
    if (write(fd, value, strlen(value)) != (ssize_t)strlen(value)) {
        close(fd);
        return -1;
    }
    ssize_t n = pread(fd, back, sizeof back - 1, 0);
    close(fd);
    size_t len = strlen(label);
    if (n < (ssize_t)len || memcmp(back, label, len) != 0 ||
        !(back[len] == 0 || back[len] == ' ' || back[len] == '\n')) {
        errno = EPERM;
        return -1;
    }
    return 0;
}

static int apply(struct builder *b, int proc, const struct plan_op *op, bool apparmor) {
    char value[512];
    const char *label = apparmor ? op->apparmor.profile : op->selinux.label;
    const char *step = plan_step(op),
               *absent = apparmor ? "AppArmor is not enabled on this host" : "SELinux is not enabled on this host";
    int len = snprintf(value, sizeof value, "%s%s", apparmor ? "exec " : "", label);
    if (len >= (int)sizeof value) return error_fail(&b->err, ENAMETOOLONG, step, label, "label");
    const char *name = apparmor ? "self/attr/apparmor/exec" : "self/attr/exec";
    if (write_attribute(proc, name, value, label) == 0) return 0;
    /* EINVAL is a label that the policy does not know, and a kernel without the module; ENOENT from the open one without the file. */
    if (errno == ENOENT && apparmor && access("/sys/module/apparmor", F_OK) < 0)
        return error_refuse(&b->err, ENOTSUP, absent, step, label, "profile");
    if (errno == EINVAL && !apparmor)
        return error_refuse(&b->err, EINVAL, "no label that this host's policy knows", step, label, "SELinux label");
    if (errno == EINVAL || (errno == ENOENT && !apparmor))
        return error_refuse(&b->err, ENOTSUP, absent, step, label, "label");
    return error_fail(&b->err, errno, step, label, apparmor ? "AppArmor profile" : "SELinux label");
}

int lsm_open(struct builder *b) {
    const struct plan_op *apparmor = plan_find(b->plan, PLAN_APPARMOR), *selinux = plan_find(b->plan, PLAN_SELINUX);
    if (!apparmor && !selinux) return 0;
    const char *options[] = {"subset=pid", NULL};
    struct plan_strings list = {options, 1};
    b->lsm_proc = mount_new("proc", &list, -1, 0);
    if (b->lsm_proc >= 0) return 0;
    return error_fail(&b->err, errno, plan_step(apparmor ? apparmor : selinux), "procfs", "private mount");
}

int lsm_apply(struct builder *b) {
    const struct plan_op *apparmor = plan_find(b->plan, PLAN_APPARMOR), *selinux = plan_find(b->plan, PLAN_SELINUX);
    if (apparmor && apply(b, b->lsm_proc, apparmor, true) < 0) return -1;
    return selinux ? apply(b, b->lsm_proc, selinux, false) : 0;
}
