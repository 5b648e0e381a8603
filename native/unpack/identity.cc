#include "identity.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "confine.h"
#include "failure.h"
#include "fd.h"

namespace {

constexpr size_t max_file = 1 << 20;

// overlay wants two lower layers when there is no upper one; an empty directory on a tmpfs is the other.
Fd mount_layers(const std::vector<std::string> &lower, const std::string &empty) {
    if (lower.size() == 1) {
        Fd tree(static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, lower[0].c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
        if (!tree)
            local_failure(errno, lower[0]);
        return tree;
    }
    Fd context(static_cast<int>(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC)));
    if (!context)
        local_failure(errno, "overlay");
    // Before Linux 6.5 there is no lowerdir+, and one string has at most 255 bytes: short names by descriptor.
    std::vector<Fd> opened;
    std::string joined;
    bool appended = true;
    for (const std::string &layer : lower) {
        if (appended && syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, "lowerdir+", layer.c_str(), 0) < 0)
            appended = false;
        opened.emplace_back(open(layer.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        joined += (joined.empty() ? "/proc/self/fd/" : ":/proc/self/fd/") + std::to_string(opened.back().get());
    }
    if (!appended) {
        if (mount("overlay", empty.c_str(), "overlay", MS_RDONLY, ("lowerdir=" + joined).c_str()) < 0)
            local_failure(errno, "overlay of the image's layers");
        return Fd(open(empty.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    if (syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0)
        local_failure(errno, "overlay of the image's layers");
    Fd tree(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID)));
    if (!tree)
        local_failure(errno, "overlay of the image's layers");
    return tree;
}

// A FIFO would hang a reader, a device do worse, a sparse giant fill the memory, a link leave the image (CVE-2026-47262, CVE-2025-4437).
std::string read_file(int root, const char *path) {
    open_how how{};
    how.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    Fd file(static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof how)));
    if (!file && errno == ENOENT)
        return "";
    if (!file)
        bad_input(std::string(strerror(errno)) + ": /" + path + " of the image");
    struct stat st;
    if (fstat(file.get(), &st) < 0 || !S_ISREG(st.st_mode))
        bad_input("not a regular file: /" + std::string(path) + " of the image");
    if (st.st_size > static_cast<off_t>(max_file))
        bad_input("larger than " + std::to_string(max_file) + " bytes: /" + path + " of the image");
    std::string text(max_file, '\0');
    size_t have = 0;
    for (ssize_t got; have < text.size() && (got = read(file.get(), text.data() + have, text.size() - have)) != 0;) {
        if (got < 0)
            local_failure(errno, std::string("/") + path + " of the image");
        have += static_cast<size_t>(got);
    }
    text.resize(have);
    return text;
}

} // namespace

std::string read_identity(const std::vector<std::string> &lower) {
    if (unshare(CLONE_NEWNS) < 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
        local_failure(errno, "mount namespace");
    Fd root = mount_layers(lower, "/mnt");
    std::string passwd = read_file(root.get(), "etc/passwd");
    std::string group = read_file(root.get(), "etc/group");
    return "passwd " + std::to_string(passwd.size()) + "\n" + passwd + "\ngroup " + std::to_string(group.size()) + "\n" + group + "\n";
}
