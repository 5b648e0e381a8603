import type { SeccompArch } from './spec.js';

const ARCHES: Readonly<Record<'x64' | 'arm64', readonly SeccompArch[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

/** Architectures whose programs this machine can run, its own first. */
export const nativeArches = (arch: 'x64' | 'arm64'): SeccompArch[] => [...ARCHES[arch]];

export const isNative = (name: string, arch: 'x64' | 'arm64'): boolean =>
  ARCHES[arch].some((native) => native === name);
