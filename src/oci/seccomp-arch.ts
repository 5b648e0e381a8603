import type { SeccompArch } from './spec.js';

const ARCHES = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
} as const satisfies Readonly<Record<'x64' | 'arm64', readonly [SeccompArch, ...SeccompArch[]]>>;

/** What `includes` and `excludes` of a profile call it. */
export const GO_ARCH = { x64: 'amd64', arm64: 'arm64' } as const;

/** Architectures whose programs this machine can run, its own first. */
export const nativeArches = (arch: 'x64' | 'arm64'): [SeccompArch, ...SeccompArch[]] => [...ARCHES[arch]];

export const isNative = (name: string, arch: 'x64' | 'arm64'): boolean =>
  ARCHES[arch].some((native) => native === name);
