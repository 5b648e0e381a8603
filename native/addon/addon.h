// What the addon offers to src/native/addon.ts. It makes system calls that Node lacks and never forks, clones or enters a namespace.
#pragma once
#include <napi.h>

// resolveSyscalls(arch: string, names: string[]): Int32Array - negative where the architecture has no such system call.
Napi::Value ResolveSyscalls(const Napi::CallbackInfo &info);

// hasX32(): boolean - whether the kernel carries out system calls of the x32 ABI.
Napi::Value HasX32(const Napi::CallbackInfo &info);

// markTopDirectory(path: string): boolean - EXT4_TOPDIR_FL; false when the file system has no such flag.
Napi::Value MarkTopDirectory(const Napi::CallbackInfo &info);

// missingSyscalls(): string[] - those that the native programs use and this kernel does not know.
Napi::Value MissingSyscalls(const Napi::CallbackInfo &info);

// knowsFileSystem(type: string): boolean - after its module was loaded, where there is one.
Napi::Value KnowsFileSystem(const Napi::CallbackInfo &info);

// notify(socket: string, message: string): undefined - one datagram to a service manager, without waiting.
Napi::Value Notify(const Napi::CallbackInfo &info);

// tryLock(fd: number): boolean - an exclusive flock(2) for as long as the descriptor is open; false when another holds it.
Napi::Value TryLock(const Napi::CallbackInfo &info);

// isBeingWritten(fd: number): boolean - whether anybody has this file, which is open for reading, open for writing; false where the file
// system does not tell (no leases).
Napi::Value IsBeingWritten(const Napi::CallbackInfo &info);

// fetchDescriptors(path: string, number: number): Promise<Int32Array> - the descriptors that the supervisor behind this socket offers
// under this number (native/supervisor/loop/offer.h): stdin, stdout, stderr; -1 where there is none.
Napi::Value FetchDescriptors(const Napi::CallbackInfo &info);

// openProcess(pid: number): number - a pidfd; -1 when there is no such process.
Napi::Value OpenProcess(const Napi::CallbackInfo &info);

// killProcess(pidfd: number, ms: number): Promise<boolean> - SIGKILL; true when it has ended within that time.
Napi::Value KillProcess(const Napi::CallbackInfo &info);

// execute(argv: string[]): never - execve(2) with the environment of this process; throws when it fails.
Napi::Value Execute(const Napi::CallbackInfo &info);
