import { createRequire } from 'node:module';
import { built } from '../built.js';
import type { SeccompArch } from '../oci/spec.js';

/** The addon's functions; see native/addon/addon.h. */
export interface NativeAddon {
  /** Numbers of system calls by name; negative where the architecture has none. */
  resolveSyscalls(arch: SeccompArch, names: readonly string[]): Int32Array;
  /** Whether this kernel carries out system calls of the x32 ABI. */
  hasX32(): boolean;
  /**
   * Marks a directory as one whose subdirectories have nothing to do with each other: ext4 then spreads them over its block groups
   * (`chattr +T`). False when the file system has no such mark.
   */
  markTopDirectory(path: string): boolean;
  /** System calls that the native programs use and this kernel does not know. */
  missingSyscalls(): string[];
  /** Whether the kernel can mount this type, after its module was loaded where there is one. */
  knowsFileSystem(type: string): boolean;
  /** Sends one datagram to the service manager's socket, a path or `@` and an abstract name, without waiting (sd_notify(3)). */
  notify(socket: string, message: string): void;
  /** Locks an open file or directory for as long as the descriptor is open; false when another process has (flock(2)). */
  tryLock(fd: number): boolean;
  /** Whether anybody has this file, open for reading here, open for writing; false where the file system does not tell. */
  isBeingWritten(fd: number): boolean;
  /** The descriptors that a supervisor offers under this number on its streams.sock: stdin, stdout, stderr; -1 where there is none. */
  fetchDescriptors(path: string, number: number): Promise<Int32Array>;
  /** A handle on a process, which keeps its pid from becoming another's (pidfd_open(2)), to be closed; -1 when there is no such process. */
  openProcess(pid: number): number;
  /** Kills it; true when it has ended within `ms`. */
  killProcess(handle: number, ms: number): Promise<boolean>;
  /** Replaces this process by another program, with its environment (execve(2)); throws when that fails. */
  execute(argv: readonly string[]): never;
}

/** Loads the addon. Only this module does; the composition root hands it on. */
export function loadAddon(path: string = built('native/jangada.node')): NativeAddon {
  return createRequire(import.meta.url)(path) as NativeAddon;
}
