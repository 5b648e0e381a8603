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

/* When it is in force. */
enum when { AT_EXEC, NOW };

static int apply(const struct plan_op *op, int proc, enum when when, struct error *err) {
    bool apparmor = op->code == PLAN_APPARMOR;
    char value[512], name[48];
    const char *label = apparmor ? op->apparmor.profile : op->selinux.label;
    const char *step = plan_step(op),
               *absent = apparmor ? "AppArmor is not enabled on this host" : "SELinux is not enabled on this host";
    const char *verb = !apparmor ? "" : when == NOW ? "changeprofile " : "exec ";
    int len = snprintf(value, sizeof value, "%s%s", verb, label);
    if (len >= (int)sizeof value) return error_fail(err, ENAMETOOLONG, step, label, "label");
    snprintf(name, sizeof name, "self/attr/%s%s", apparmor ? "apparmor/" : "", when == NOW ? "current" : "exec");
    if (write_attribute(proc, name, value, label) == 0) return 0;
    /* EINVAL is a label that the policy does not know, and a kernel without the module; ENOENT from the open one without the file. */
    if (errno == ENOENT && apparmor && access("/sys/module/apparmor", F_OK) < 0)
        return error_refuse(err, ENOTSUP, absent, step, label, "profile");
    if (errno == EINVAL && !apparmor)
        return error_refuse(err, EINVAL, "no label that this host's policy knows", step, label, "SELinux label");
    if (errno == EINVAL || (errno == ENOENT && !apparmor))
        return error_refuse(err, ENOTSUP, absent, step, label, "label");
    return error_fail(err, errno, step, label, apparmor ? "AppArmor profile" : "SELinux label");
}

int lsm_open(const struct plan *plan, int *proc, struct error *err) {
    const struct plan_op *apparmor = plan_find(plan, PLAN_APPARMOR), *selinux = plan_find(plan, PLAN_SELINUX);
    *proc = -1;
    if (!apparmor && !selinux) return 0;
    const char *options[] = {"subset=pid", NULL};
    struct plan_strings list = {options, 1};
    *proc = mount_new("proc", &list, -1, 0);
    if (*proc >= 0) return 0;
    return error_fail(err, errno, plan_step(apparmor ? apparmor : selinux), "procfs", "private mount");
}

static int apply_all(const struct plan *plan, int proc, enum when when, struct error *err) {
    const struct plan_op *apparmor = plan_find(plan, PLAN_APPARMOR), *selinux = plan_find(plan, PLAN_SELINUX);
    if (apparmor && apply(apparmor, proc, when, err) < 0) return -1;
    return selinux ? apply(selinux, proc, when, err) : 0;
}

int lsm_apply(const struct plan *plan, int proc, struct error *err) { return apply_all(plan, proc, AT_EXEC, err); }

int lsm_become(const struct plan *plan, int proc, struct error *err) { return apply_all(plan, proc, NOW, err); }
