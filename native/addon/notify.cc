#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "addon.h"

static Napi::Error Failure(Napi::Env env, const char *call) {
    auto error = Napi::Error::New(env, std::string(call) + ": " + std::strerror(errno));
    error.Set("errno", Napi::Number::New(env, errno));
    return error;
}

// A path, or an abstract name after "@": what NOTIFY_SOCKET may hold, see sd_notify(3).
Napi::Value Notify(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() != 2 || !info[0].IsString() || !info[1].IsString())
        throw Napi::TypeError::New(env, "notify takes a socket and a message");
    const std::string path = info[0].As<Napi::String>(), message = info[1].As<Napi::String>();
    struct sockaddr_un to{};
    to.sun_family = AF_UNIX;
    if (path.size() < 2 || path.size() >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        throw Napi::TypeError::New(env, "not a path or an abstract name of a socket");
    path.copy(to.sun_path, path.size());
    if (path[0] == '@') to.sun_path[0] = 0;
    const auto size = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + path.size());
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) throw Failure(env, "socket");
    const ssize_t sent =
        sendto(fd, message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<const struct sockaddr *>(&to), size);
    if (sent < 0) {
        auto error = Failure(env, "sendto");
        close(fd);
        throw error;
    }
    close(fd);
    return env.Undefined();
}
