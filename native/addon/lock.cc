#include <sys/file.h>

#include <cerrno>
#include <cstring>

#include "addon.h"

Napi::Value TryLock(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() != 1 || !info[0].IsNumber()) throw Napi::TypeError::New(env, "tryLock takes a file descriptor");
    if (flock(info[0].As<Napi::Number>().Int32Value(), LOCK_EX | LOCK_NB) == 0) return Napi::Boolean::New(env, true);
    if (errno == EWOULDBLOCK) return Napi::Boolean::New(env, false);
    throw Napi::Error::New(env, std::string("flock: ") + std::strerror(errno));
}
