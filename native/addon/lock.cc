#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "addon.h"

Napi::Value TryLock(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() != 1 || !info[0].IsNumber()) throw Napi::TypeError::New(env, "tryLock takes a file descriptor");
    if (flock(info[0].As<Napi::Number>().Int32Value(), LOCK_EX | LOCK_NB) == 0) return Napi::Boolean::New(env, true);
    if (errno == EWOULDBLOCK) return Napi::Boolean::New(env, false);
    throw Napi::Error::New(env, std::string("flock: ") + std::strerror(errno));
}

Napi::Value IsBeingWritten(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() != 1 || !info[0].IsNumber())
        throw Napi::TypeError::New(env, "isBeingWritten takes a file descriptor");
    int fd = info[0].As<Napi::Number>().Int32Value();
    // fcntl(2): a read lease is refused while anybody has the file open for writing. Who opens it in the moment in which we have the lease
    // would send SIGIO, which kills; SIGURG is ignored.
    if (fcntl(fd, F_SETSIG, SIGURG) < 0) throw Napi::Error::New(env, std::string("F_SETSIG: ") + std::strerror(errno));
    if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0) return Napi::Boolean::New(env, errno == EAGAIN);
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return Napi::Boolean::New(env, false);
}
