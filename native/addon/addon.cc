#include "addon.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
    exports.Set("resolveSyscalls", Napi::Function::New(env, ResolveSyscalls));
    exports.Set("hasX32", Napi::Function::New(env, HasX32));
    exports.Set("markTopDirectory", Napi::Function::New(env, MarkTopDirectory));
    exports.Set("missingSyscalls", Napi::Function::New(env, MissingSyscalls));
    exports.Set("knowsFileSystem", Napi::Function::New(env, KnowsFileSystem));
    exports.Set("notify", Napi::Function::New(env, Notify));
    exports.Set("tryLock", Napi::Function::New(env, TryLock));
    exports.Set("isBeingWritten", Napi::Function::New(env, IsBeingWritten));
    exports.Set("fetchDescriptors", Napi::Function::New(env, FetchDescriptors));
    exports.Set("openProcess", Napi::Function::New(env, OpenProcess));
    exports.Set("killProcess", Napi::Function::New(env, KillProcess));
    exports.Set("execute", Napi::Function::New(env, Execute));
    return exports;
}

NODE_API_MODULE(jangada, Init)
