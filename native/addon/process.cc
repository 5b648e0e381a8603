#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "addon.h"

namespace {

// pidfd_open(2), pidfd_send_signal(2): this libc has no functions for them.
constexpr long kPidfdOpen = 434;
constexpr long kPidfdSendSignal = 424;

// On a thread of the pool: the kernel may take its time over an end.
class Kill : public Napi::AsyncWorker {
public:
    Kill(Napi::Env env, int pidfd, int ms)
        : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), pidfd_(pidfd), ms_(ms) {}

    Napi::Promise Promise() const { return deferred_.Promise(); }

    void Execute() override {
        if (syscall(kPidfdSendSignal, pidfd_, SIGKILL, nullptr, 0) < 0 && errno != ESRCH) {
            SetError(std::string("pidfd_send_signal: ") + std::strerror(errno));
            return;
        }
        pollfd end{pidfd_, POLLIN, 0};
        ended_ = poll(&end, 1, ms_) == 1;
    }

    void OnOK() override { deferred_.Resolve(Napi::Boolean::New(Env(), ended_)); }
    void OnError(const Napi::Error &error) override { deferred_.Reject(error.Value()); }

private:
    Napi::Promise::Deferred deferred_;
    const int pidfd_;
    const int ms_;
    bool ended_ = false;
};

} // namespace

Napi::Value OpenProcess(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() != 1 || !info[0].IsNumber()) throw Napi::TypeError::New(env, "openProcess takes a pid");
    const long fd = syscall(kPidfdOpen, info[0].As<Napi::Number>().Int32Value(), 0);
    if (fd >= 0) return Napi::Number::New(env, static_cast<double>(fd));
    if (errno == ESRCH || errno == EINVAL) return Napi::Number::New(env, -1);
    throw Napi::Error::New(env, std::string("pidfd_open: ") + std::strerror(errno));
}

Napi::Value KillProcess(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() != 2 || !info[0].IsNumber() || !info[1].IsNumber())
        throw Napi::TypeError::New(env, "killProcess takes a descriptor and milliseconds");
    auto *kill = new Kill(env, info[0].As<Napi::Number>().Int32Value(), info[1].As<Napi::Number>().Int32Value());
    kill->Queue();
    return kill->Promise();
}
