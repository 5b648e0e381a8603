#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "addon.h"

// Numbers from 424 on are the same on all architectures. The arguments are wrong on purpose: a kernel that knows the call refuses them
// before it does anything, one that does not answers ENOSYS, and so does a seccomp filter that hides it.
static const struct {
    const char *name;
    long number, first, second;
} kProbes[] = {
    {"pidfd_send_signal", 424, -1, 0},   {"open_tree", 428, -1, 0},
    {"move_mount", 429, -1, 0},          {"fsopen", 430, 0, -1},
    {"fsconfig", 431, -1, -1},           {"fsmount", 432, -1, -1},
    {"pidfd_open", 434, -1, -1},         {"clone3", 435, 0, 0},
    {"close_range", 436, 0xffffffff, 0}, {"openat2", 437, -1, 0},
    {"mount_setattr", 442, -1, 0},
};

Napi::Value MissingSyscalls(const Napi::CallbackInfo &info) {
    auto missing = Napi::Array::New(info.Env());
    uint32_t count = 0;
    for (const auto &probe : kProbes)
        if (syscall(probe.number, probe.first, probe.second, 0, 0, 0) < 0 && errno == ENOSYS)
            missing.Set(count++, probe.name);
    return missing;
}

Napi::Value KnowsFileSystem(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() != 1 || !info[0].IsString())
        throw Napi::TypeError::New(env, "knowsFileSystem takes the name of a file system");
    const std::string name = info[0].As<Napi::String>();
    const int fd = static_cast<int>(syscall(430 /* fsopen */, name.c_str(), 1 /* FSOPEN_CLOEXEC */));
    if (fd >= 0) close(fd);
    return Napi::Boolean::New(env, fd >= 0 || errno != ENODEV);
}
