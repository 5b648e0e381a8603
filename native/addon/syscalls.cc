#include <seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <unordered_map>

#include "addon.h"

static const std::unordered_map<std::string, uint32_t> kArches = {
    {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},   {"SCMP_ARCH_X86", SCMP_ARCH_X86}, {"SCMP_ARCH_X32", SCMP_ARCH_X32},
    {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64}, {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
};

Napi::Value ResolveSyscalls(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (info.Length() != 2 || !info[0].IsString() || !info[1].IsArray())
        throw Napi::TypeError::New(env, "resolveSyscalls takes an architecture and a list of names");
    const auto arch = kArches.find(info[0].As<Napi::String>().Utf8Value());
    if (arch == kArches.end()) throw Napi::TypeError::New(env, "unknown architecture");
    const auto names = info[1].As<Napi::Array>();
    auto numbers = Napi::Int32Array::New(env, names.Length());
    for (uint32_t i = 0; i < names.Length(); i++) {
        const Napi::Value name = names.Get(i);
        if (!name.IsString()) throw Napi::TypeError::New(env, "a name of a system call is not a string");
        numbers[i] = seccomp_syscall_resolve_name_arch(arch->second, name.As<Napi::String>().Utf8Value().c_str());
    }
    return numbers;
}

Napi::Value HasX32(const Napi::CallbackInfo &info) {
#ifdef __x86_64__
    const bool answers = syscall(0x40000000 | SYS_getpid) == getpid();
#else
    const bool answers = false;
#endif
    return Napi::Boolean::New(info.Env(), answers);
}
