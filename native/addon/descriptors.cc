#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "addon.h"

namespace {

constexpr size_t kDescriptors = 3;
constexpr time_t kTimeoutSeconds = 10;

struct Socket {
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    Socket() = default;
    Socket(const Socket &) = delete;
    Socket &operator=(const Socket &) = delete;
    ~Socket() {
        if (fd >= 0) close(fd);
    }
};

// On a thread of the pool: the peer's event loop may be in the middle of something.
class Fetch : public Napi::AsyncWorker {
public:
    Fetch(Napi::Env env, std::string path, uint32_t number)
        : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), path_(std::move(path)),
          number_(number) {}

    Napi::Promise Promise() const { return deferred_.Promise(); }

    void Execute() override {
        try {
            Exchange();
        } catch (const std::system_error &error) {
            SetError(error.what());
        }
    }

    void OnOK() override {
        auto result = Napi::Int32Array::New(Env(), kDescriptors);
        for (size_t i = 0; i < kDescriptors; i++) result[i] = fds_[i];
        deferred_.Resolve(result);
    }

    void OnError(const Napi::Error &error) override { deferred_.Reject(error.Value()); }

private:
    static void Check(bool good, const char *what) {
        if (!good) throw std::system_error(errno, std::generic_category(), what);
    }

    void Exchange() {
        const Socket socket;
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const timeval timeout{kTimeoutSeconds, 0};
        errno = ENAMETOOLONG;
        Check(path_.size() < sizeof address.sun_path, "path of the socket");
        memcpy(address.sun_path, path_.data(), path_.size());
        Check(socket.fd >= 0, "socket");
        Check(setsockopt(socket.fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
                  setsockopt(socket.fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0,
              "setsockopt");
        Check(connect(socket.fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0, "connect");
        Check(send(socket.fd, &number_, sizeof number_, MSG_NOSIGNAL) == sizeof number_, "send");
        Receive(socket.fd);
    }

    // One byte a descriptor: 1 when it is among those that came along.
    void Receive(int from) {
        std::array<uint8_t, kDescriptors> there{};
        alignas(cmsghdr) char control[CMSG_SPACE(kDescriptors * sizeof(int))];
        iovec iov{there.data(), there.size()};
        msghdr message{};
        message.msg_iov = &iov;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const ssize_t n = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
        std::array<int, kDescriptors> received{-1, -1, -1};
        size_t count = 0;
        for (cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&message) : nullptr; c; c = CMSG_NXTHDR(&message, c)) {
            if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
            const size_t got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < got && count < kDescriptors; i++)
                memcpy(&received[count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
        }
        size_t announced = 0;
        for (const uint8_t one : there) announced += one == 1;
        if (n != static_cast<ssize_t>(there.size()) || announced != count) {
            const int error = n < 0 ? errno : EPROTO;
            for (const int fd : received)
                if (fd >= 0) close(fd);
            errno = error;
            Check(false, n == 0 ? "nothing is on offer under this number" : "recvmsg");
        }
        for (size_t i = 0, next = 0; i < kDescriptors; i++)
            if (there[i] == 1) fds_[i] = received[next++];
    }

    Napi::Promise::Deferred deferred_;
    const std::string path_;
    const uint32_t number_;
    std::array<int, kDescriptors> fds_{-1, -1, -1};
};

} // namespace

Napi::Value FetchDescriptors(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() != 2 || !info[0].IsString() || !info[1].IsNumber())
        throw Napi::TypeError::New(env, "fetchDescriptors takes a path and a number");
    auto *fetch = new Fetch(env, info[0].As<Napi::String>().Utf8Value(), info[1].As<Napi::Number>().Uint32Value());
    fetch->Queue();
    return fetch->Promise();
}
