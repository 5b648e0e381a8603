#include "cgroup/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/kernel.h"

static int bpf(enum bpf_cmd command, union bpf_attr *attr) {
    return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

static int load(const struct bpf_insn *program, uint32_t count) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attr.insns = (uint64_t)(uintptr_t)program;
    attr.insn_cnt = count;
    attr.license = (uint64_t)(uintptr_t)"Apache-2.0";
    return bpf(BPF_PROG_LOAD, &attr);
}

/* Kernels before 5.11 charge programs to RLIMIT_MEMLOCK. It is raised for a moment, where we may; containers do not inherit it. */
static int load_unlimited(const struct bpf_insn *program, uint32_t count) {
    struct rlimit before, unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    int fd = load(program, count);
    if (fd >= 0 || errno != EPERM || getrlimit(RLIMIT_MEMLOCK, &before) < 0) return fd;
    if (setrlimit(RLIMIT_MEMLOCK, &unlimited) < 0) {
        errno = EPERM;
        return -1;
    }
    fd = load(program, count);
    int error = errno;
    setrlimit(RLIMIT_MEMLOCK, &before);
    errno = error;
    return fd;
}

/* Beside programs that others attached, of which systemd's are some: all must allow an access. */
static int attach(int program, const char *path) {
    union bpf_attr attr;
    int dir = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return -1;
    memset(&attr, 0, sizeof attr);
    attr.target_fd = (uint32_t)dir;
    attr.attach_bpf_fd = (uint32_t)program;
    attr.attach_type = BPF_CGROUP_DEVICE;
    attr.attach_flags = BPF_F_ALLOW_MULTI;
    int done = bpf(BPF_PROG_ATTACH, &attr), error = errno;
    close(dir);
    errno = error;
    return done;
}

int cgroup_guard_devices(const struct plan_op *op, struct error *err) {
    const struct wire_bytes *bytes = &op->cgroup_devices.program;
    struct bpf_insn *program = malloc(bytes->len); /* aligned, as the bytes of a plan are not */
    if (!program) return error_fail(err, ENOMEM, "cgroup-devices", op->cgroup_devices.path, "device program");
    memcpy(program, bytes->data, bytes->len);
    int fd = load_unlimited(program, bytes->len / sizeof *program);
    free(program);
    if (fd < 0) return error_fail(err, errno, "cgroup-devices", op->cgroup_devices.path, "loading the device program");
    int done = attach(fd, op->cgroup_devices.path);
    if (done < 0) error_fail(err, errno, "cgroup-devices", op->cgroup_devices.path, "attaching the device program");
    close(fd);
    return done;
}
