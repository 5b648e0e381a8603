#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "addon.h"

static constexpr int kTopDir = 0x00020000; // EXT4_TOPDIR_FL, fs/ext4/ext4.h; chattr(1) `T`

Napi::Value MarkTopDirectory(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() != 1 || !info[0].IsString()) throw Napi::TypeError::New(env, "markTopDirectory takes a path");
    const std::string path = info[0].As<Napi::String>().Utf8Value();
    const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) throw Napi::Error::New(env, "open " + path + ": " + std::strerror(errno));
    int flags = 0;
    bool done = ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0;
    if (done && !(flags & kTopDir)) {
        flags |= kTopDir;
        done = ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
    }
    close(fd);
    return Napi::Boolean::New(env, done);
}
