import type { SeccompArch } from '../oci/spec.js';
import type { NativeAddon } from './addon.js';
import type { Call } from './bpf.fixture.js';
import { syscallNumbers } from './syscall-numbers.js';

/** Makes a call by name, as a filter would see it. */
export const caller =
  (addon: NativeAddon) =>
  (name: string, args: Array<number | bigint> = [], arch: SeccompArch = 'SCMP_ARCH_X86_64'): Call => ({
    arch: arch === 'SCMP_ARCH_X86' ? 0x4000_0003 : 0xc000_003e,
    nr: syscallNumbers(addon, arch, [name]).get(name) ?? Number.NaN,
    args: Array.from({ length: 6 }, (_, index) => BigInt(args[index] ?? 0)),
  });
