#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "addon.h"

// Every thread but the caller ends in execve(2). Of the standard streams Node keeps its children away, and makes pipes non-blocking.
Napi::Value Execute(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() != 1 || !info[0].IsArray()) throw Napi::TypeError::New(env, "execute takes an array of words");
    auto array = info[0].As<Napi::Array>();
    std::vector<std::string> words;
    std::vector<char *> argv;
    for (uint32_t i = 0; i < array.Length(); i++) words.push_back(array.Get(i).As<Napi::String>());
    for (std::string &word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    for (int fd = 0; fd < 3; fd++) {
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0) continue;
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
        fcntl(fd, F_SETFD, 0);
    }
    execve(argv[0], argv.data(), environ);
    throw Napi::Error::New(env, std::string(std::strerror(errno)) + ": " + words[0]);
}
