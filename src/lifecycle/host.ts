import { readFileSync } from 'node:fs';
import { release } from 'node:os';

/** What this machine's kernel and our own privileges allow; read once at the start. */
export interface Host {
  /** Capabilities that a container can be given: our bounding set and permitted set, as a bit mask. */
  readonly capabilities: bigint;
  readonly kernel: string;
  readonly apparmor: boolean;
  readonly selinux: boolean;
  /** mount_setattr(2), Linux 5.12: recursive read-only mounts. */
  readonly mountSetattr: boolean;
}

export const readHost = (): Host => {
  const status = readFileSync('/proc/self/status', 'utf8');
  const mask = (name: string) => BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
  const kernel = release();
  const lsms = readOr('/sys/kernel/security/lsm', '').split(',');
  return {
    capabilities: mask('CapBnd') & mask('CapPrm'),
    kernel,
    apparmor: lsms.includes('apparmor') && readOr('/sys/module/apparmor/parameters/enabled', 'N').startsWith('Y'),
    selinux: lsms.includes('selinux'),
    mountSetattr: atLeast(kernel, 5, 12),
  };
};

const atLeast = (kernel: string, major: number, minor: number): boolean => {
  const [a = 0, b = 0] = kernel.split('.').map(Number);
  return a > major || (a === major && b >= minor);
};

const readOr = (path: string, otherwise: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
};
