#include "addon.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
    exports.Set("resolveSyscalls", Napi::Function::New(env, ResolveSyscalls));
    exports.Set("peerCredentials", Napi::Function::New(env, PeerCredentials));
    return exports;
}

NODE_API_MODULE(jangada, Init)
