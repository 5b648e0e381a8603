#include "identity.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "confine.h"
#include "failure.h"
#include "fd.h"
#include "filter.h"
#include "in_root.h"

namespace {

constexpr size_t max_file = 1 << 20; // some 15,000 users; the daemon keeps what is in every image
constexpr size_t read_size = 64 << 10;

// Seen through this mount, no device is one.
constexpr unsigned long mount_flags = MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC;

// The layers as one tree, mounted at `place`, in a mount namespace of our own.
void mount_layers(const std::vector<std::string> &lower, const char *place) {
    if (lower.size() == 1) { // overlay wants two
        if (mount(place, place, nullptr, MS_BIND, nullptr) < 0 ||
            mount(nullptr, place, nullptr, MS_REMOUNT | MS_BIND | mount_flags, nullptr) < 0)
            local_failure(errno, place);
        return;
    }
    std::vector<Fd> opened;
    std::string joined;
    for (const std::string &layer : lower) {
        opened.emplace_back(open(layer.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!opened.back()) local_failure(errno, layer);
        joined += (joined.empty() ? "/proc/self/fd/" : ":/proc/self/fd/") + std::to_string(opened.back().get());
    }
    Fd context(static_cast<int>(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC)));
    if (!context) local_failure(errno, "overlay");
    bool created = true;
    for (const std::string &layer : lower)
        created =
            created && syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, "lowerdir+", layer.c_str(), 0) == 0;
    created = created && syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
    if (!created) {
        // Linux before 6.5 takes any string and knows no lowerdir+ in the end; mount(2) takes one page: short names, by descriptor.
        if (mount("overlay", place, "overlay", mount_flags, ("lowerdir=" + joined).c_str()) < 0)
            local_failure(errno, "overlay of the image's layers");
        return;
    }
    constexpr unsigned attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    Fd tree(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes)));
    if (!tree || syscall(SYS_move_mount, tree.get(), "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        local_failure(errno, "overlay of the image's layers");
}

[[noreturn]] void refuse(const char *why, const char *path) {
    bad_input(std::string(why) + ": /" + path + " of the image");
}

// A FIFO would hang a reader, a device do worse, a sparse giant fill the memory, a link leave the image (CVE-2026-47262,
// CVE-2025-4437). What is no regular file is not even opened.
std::string read_file(int root, const char *path) {
    Fd place(open_in_root(root, path, O_PATH));
    if (!place && (errno == ENOENT || errno == ENOTDIR)) return "";
    struct stat st;
    if (!place || fstat(place.get(), &st) < 0) refuse(strerror(errno), path);
    if (S_ISCHR(st.st_mode) && st.st_rdev == 0) return ""; // a whiteout of the only layer
    if (!S_ISREG(st.st_mode)) refuse("not a regular file", path);
    if (st.st_size > static_cast<off_t>(max_file)) refuse("larger than 1 MiB", path);
    Fd file(open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    if (!file) refuse(strerror(errno), path);
    std::string text;
    for (;;) {
        size_t have = text.size();
        text.resize(have + read_size);
        ssize_t got = read(file.get(), text.data() + have, read_size);
        if (got < 0) local_failure(errno, std::string("/") + path + " of the image");
        text.resize(have + static_cast<size_t>(got));
        if (got == 0) return text;
        if (text.size() > max_file) refuse("larger than 1 MiB", path);
    }
}

} // namespace

std::string read_identity(const std::vector<std::string> &lower) {
    if (unshare(CLONE_NEWNS) < 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0)
        local_failure(errno, "mount namespace");
    mount_layers(lower, lower[0].c_str());
    Fd root(open(lower[0].c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) local_failure(errno, lower[0]);
    confine_pivot(root.get());
    confine_drop({CAP_DAC_READ_SEARCH});
    filter_system_calls(Role::identity);
    std::string passwd = read_file(root.get(), "etc/passwd");
    std::string group = read_file(root.get(), "etc/group");
    return "passwd " + std::to_string(passwd.size()) + "\n" + passwd + "\ngroup " + std::to_string(group.size()) +
           "\n" + group + "\n";
}
