// What the addon offers to src/native/addon.ts. It makes system calls that Node lacks and never forks, clones or enters a namespace.
#pragma once
#include <napi.h>

// resolveSyscalls(arch: string, names: string[]): Int32Array - negative where the architecture has no such system call.
Napi::Value ResolveSyscalls(const Napi::CallbackInfo &info);

// peerCredentials(fd: number): { pid, uid, gid } - SO_PEERCRED of a connected unix socket.
Napi::Value PeerCredentials(const Napi::CallbackInfo &info);
