#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "addon.h"

Napi::Value PeerCredentials(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() != 1 || !info[0].IsNumber())
        throw Napi::TypeError::New(env, "peerCredentials takes a file descriptor");
    struct ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(info[0].As<Napi::Number>().Int32Value(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        auto error = Napi::Error::New(env, std::string("getsockopt SO_PEERCRED: ") + std::strerror(errno));
        error.Set("errno", Napi::Number::New(env, errno));
        throw error;
    }
    auto result = Napi::Object::New(env);
    result.Set("pid", Napi::Number::New(env, peer.pid));
    result.Set("uid", Napi::Number::New(env, peer.uid));
    result.Set("gid", Napi::Number::New(env, peer.gid));
    return result;
}
