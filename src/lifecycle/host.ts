import { readdirSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import type { CgroupLayout } from '../cgroup/layout.js';
import { isKernelAtLeast } from '../base/kernel-version.js';
import { ownMappedIds } from '../base/user-namespace.js';
import { parseContexts } from '../oci/selinux.js';
import type { HostFacts, SelinuxContexts } from '../oci/spec-input.js';

/** What this machine's kernel and our own privileges allow; read once at the start. */
export interface Host extends HostFacts {
  /** mount_setattr(2), Linux 5.12: recursive read-only mounts. */
  readonly mountSetattr: boolean;
  /** Overlay file systems of ID-mapped layers, Linux 5.19. */
  readonly mappedOverlay: boolean;
}

export const readHost = ({ mode, v2 }: Pick<CgroupLayout, 'mode' | 'v2'>): Host => {
  const status = readOr('/proc/self/status', '');
  const mask = (name: string) => BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
  const openFiles = /^Max open files\s+\S+\s+(\d+)/m.exec(readOr('/proc/self/limits', ''))?.[1];
  const kernel = release();
  return {
    capabilities: mask('CapBnd') & mask('CapPrm'),
    knownCapabilities: (2n << BigInt(readOr('/proc/sys/kernel/cap_last_cap', '40').trim())) - 1n,
    lsms: activeModules(),
    selinux: selinuxContexts(),
    mappedIds: ownMappedIds(),
    cgroup: mode,
    cgroupControllers: v2?.controllers ?? [],
    arch: process.arch === 'arm64' ? 'arm64' : 'x64',
    maxOpenFiles: openFiles ? Number(openFiles) : undefined,
    thermalThrottle: thermalThrottle(),
    kernel,
    mountSetattr: isKernelAtLeast(kernel, 5, 12),
    mappedOverlay: isKernelAtLeast(kernel, 5, 19),
  };
};

/** AppArmor may be compiled in and listed, yet switched off. */
const activeModules = (): string[] => {
  const listed = readOr('/sys/kernel/security/lsm', '').trim().split(',').filter(Boolean);
  const apparmor = readOr('/sys/module/apparmor/parameters/enabled', 'N').startsWith('Y');
  return listed.filter((name) => name !== 'apparmor' || apparmor);
};

/**
 * Where SELinux is on, `enforce` is there, permissive or not. The policy that is loaded is the one that the configuration names, and it says
 * itself which labels it has for containers (libselinux: selinux_lxc_contexts_path).
 */
const selinuxContexts = (): SelinuxContexts | undefined => {
  if (readOr('/sys/fs/selinux/enforce', '') === '') return undefined;
  const policy = /^\s*SELINUXTYPE\s*=\s*([\w-]+)/m.exec(readOr('/etc/selinux/config', ''))?.[1] ?? 'targeted';
  return parseContexts(readOr(`/etc/selinux/${policy}/contexts/lxc_contexts`, ''));
};

const CPUS = '/sys/devices/system/cpu';

const thermalThrottle = (): string[] => {
  try {
    return readdirSync(CPUS)
      .filter((name) => /^cpu\d+$/.test(name) && readdirSync(`${CPUS}/${name}`).includes('thermal_throttle'))
      .map((name) => `${CPUS}/${name}/thermal_throttle`);
  } catch {
    return []; // no such files, nothing to hide
  }
};

const readOr = (path: string, otherwise: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
};
