#include "build/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/kernel.h"
#include "build/mount.h"

/* When a label is in force. */
enum when { AT_EXEC, NOW };

/* procfs is a private instance without anything but processes, so that no mount or link of the container can put another file in the way
 * (CVE-2019-16884, CVE-2025-52881). */
static int open_attribute(int proc, const char *process, bool apparmor, enum when when, int flags) {
    char name[64];
    snprintf(name, sizeof name, "%s/attr/%s%s", process, apparmor ? "apparmor/" : "", when == NOW ? "current" : "exec");
    return k_openat2(proc, name, flags, K_RESOLVE_BENEATH | K_RESOLVE_NO_MAGICLINKS);
}

static int compare(int fd, const char *label) {
    char back[512] = "";
    size_t len = strlen(label);
    ssize_t n = pread(fd, back, sizeof back - 1, 0);
    if (n >= (ssize_t)len && memcmp(back, label, len) == 0 && (back[len] == 0 || back[len] == ' ' || back[len] == '\n'))
        return 0;
    errno = EPERM;
    return -1;
}

/* Writes one attribute of this process and reads it back, unless the label is in force by then and may keep it from that. */
static int write_attribute(int proc, bool apparmor, enum when when, const char *value, const char *label) {
    int fd = open_attribute(proc, "self", apparmor, when, O_RDWR);
    if (fd < 0) return -1;
    int done = write(fd, value, strlen(value)) == (ssize_t)strlen(value) ? 0 : -1;
    if (done == 0 && when == AT_EXEC) done = compare(fd, label);
    int error = errno;
    close(fd);
    errno = error;
    return done;
}

static int apply(const struct plan_op *op, int proc, enum when when, struct error *err) {
    bool apparmor = op->code == PLAN_APPARMOR;
    char value[512];
    const char *label = apparmor ? op->apparmor.profile : op->selinux.label;
    const char *step = plan_step(op),
               *absent = apparmor ? "AppArmor is not enabled on this host" : "SELinux is not enabled on this host";
    const char *verb = !apparmor ? "" : when == NOW ? "changeprofile " : "exec ";
    int len = snprintf(value, sizeof value, "%s%s", verb, label);
    if (len >= (int)sizeof value) return error_fail(err, ENAMETOOLONG, step, label, "label");
    if (write_attribute(proc, apparmor, when, value, label) == 0) return 0;
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

static int verify(const struct plan_op *op, int proc, pid_t pid, struct error *err) {
    bool apparmor = op->code == PLAN_APPARMOR;
    const char *label = apparmor ? op->apparmor.profile : op->selinux.label;
    char process[16];
    snprintf(process, sizeof process, "%d", pid);
    int fd = open_attribute(proc, process, apparmor, NOW, O_RDONLY);
    int done = fd < 0 ? -1 : compare(fd, label), error = errno;
    if (fd >= 0) close(fd);
    return done < 0 ? error_fail(err, error, plan_step(op), label, "label") : 0;
}

int lsm_verify(const struct plan *plan, int proc, pid_t pid, struct error *err) {
    const struct plan_op *apparmor = plan_find(plan, PLAN_APPARMOR), *selinux = plan_find(plan, PLAN_SELINUX);
    if (apparmor && verify(apparmor, proc, pid, err) < 0) return -1;
    return selinux ? verify(selinux, proc, pid, err) : 0;
}
