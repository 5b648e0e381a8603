#include "identity.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "confine.h"
#include "failure.h"
#include "fd.h"
#include "filter.h"
#include "in_root.h"
#include "overlay_mount.h"

namespace {

constexpr size_t max_file = 1 << 20; // some 15,000 users; the daemon keeps what is in every image
constexpr size_t read_size = 64 << 10;

// The layers as one tree, mounted at `place`, in a mount namespace of our own.
void mount_layers(const std::vector<std::string> &lower, const char *place) {
    constexpr unsigned long flags = MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC;
    if (lower.size() > 1) return overlay_mount({lower, "", ""}, place);
    // overlay wants two
    if (mount(place, place, nullptr, MS_BIND, nullptr) < 0 ||
        mount(nullptr, place, nullptr, MS_REMOUNT | MS_BIND | flags, nullptr) < 0)
        local_failure(errno, place);
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
