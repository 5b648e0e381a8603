#include "overlay_mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "failure.h"
#include "fd.h"
#include "user_namespace.h"

namespace {

constexpr unsigned long flags = MS_NODEV | MS_NOSUID | MS_NOEXEC;
constexpr unsigned attributes = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
const std::string object = "overlay of the image's layers";

// False when the kernel does not take layers one by one, as before Linux 6.5.
bool mount_by_layer(const OverlayDirectories &directories, const char *place) {
    bool writable = !directories.upper.empty();
    Fd context(static_cast<int>(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC)));
    if (!context) local_failure(errno, "overlay");
    auto set = [&](const char *key, const std::string &value) {
        return syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) == 0;
    };
    bool created = true;
    if (in_user_namespace())
        created = syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_FLAG, "userxattr", nullptr, 0) == 0;
    for (const std::string &layer : directories.lower) created = created && set("lowerdir+", layer);
    if (writable) {
        created = created && set("upperdir", directories.upper) && set("workdir", directories.work);
        // Its end does not wait for the disk. Absent before 5.10.
        syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_FLAG, "volatile", nullptr, 0);
    }
    if (!created || syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return false;
    unsigned wanted = attributes | (writable ? 0u : static_cast<unsigned>(MOUNT_ATTR_RDONLY));
    Fd tree(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, wanted)));
    if (!tree || syscall(SYS_move_mount, tree.get(), "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        local_failure(errno, object);
    return true;
}

// mount(2) takes one page: short names, by descriptor.
void mount_by_list(const OverlayDirectories &directories, const char *place) {
    bool writable = !directories.upper.empty();
    std::vector<Fd> opened;
    auto name = [&](const std::string &path) {
        opened.emplace_back(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!opened.back()) local_failure(errno, path);
        return "/proc/self/fd/" + std::to_string(opened.back().get());
    };
    std::string options;
    for (const std::string &layer : directories.lower) options += (options.empty() ? "lowerdir=" : ":") + name(layer);
    if (writable) options += ",upperdir=" + name(directories.upper) + ",workdir=" + name(directories.work);
    if (in_user_namespace()) options += ",userxattr";
    if (mount("overlay", place, "overlay", flags | (writable ? 0 : MS_RDONLY), options.c_str()) < 0)
        local_failure(errno, object);
}

} // namespace

void overlay_mount(const OverlayDirectories &directories, const char *place) {
    if (!mount_by_layer(directories, place)) mount_by_list(directories, place);
}
