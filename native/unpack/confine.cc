#include "confine.h"

#include <cstdint>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "failure.h"

Fd confine_to(const char *directory) {
    if (unshare(CLONE_NEWNS) < 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
        local_failure(errno, "mount namespace");
    // nosuid and nodev do not keep files from being made so; they keep anybody from using them through this mount.
    if (mount(directory, directory, nullptr, MS_BIND, nullptr) < 0 ||
        mount(nullptr, directory, nullptr, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) < 0)
        local_failure(errno, directory);
    Fd root(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) local_failure(errno, directory);
    confine_pivot(root.get());
    return root;
}

void confine_pivot(int directory) {
    // pivot_root(2), "pivot_root(".", ".")": the old root ends up under the new one and is detached at once.
    if (fchdir(directory) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        local_failure(errno, "change of the root directory");
}

void confine_drop(std::initializer_list<int> capabilities) {
    uint64_t keep = 0;
    for (int capability : capabilities) keep |= 1ull << capability;
    for (int capability = 0; capability < 64; capability++)
        if (!(keep >> capability & 1)) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    for (int half = 0; half < 2; half++)
        data[half].effective = data[half].permitted = static_cast<uint32_t>(keep >> (32 * half));
    const rlimit none{0, 0}, memory{1ull << 30, 1ull << 30}, files{64, 64};
    if (syscall(SYS_capset, &header, data) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
        setrlimit(RLIMIT_AS, &memory) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0)
        local_failure(errno, "privileges of the unpacker");
}
