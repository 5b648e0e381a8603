import { accessSync, closeSync, constants, existsSync, openSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type CgroupLayout, readLayout } from '../cgroup/layout.js';
import type { Config } from '../base/config.js';
import { isUnwritable } from '../base/unwritable.js';
import { PARSERS } from '../lifecycle/apparmor-profile.js';
import { readHost } from '../lifecycle/host.js';
import { journalPath, podDirectory } from '../lifecycle/paths.js';
import { loadConfig as loadNetwork } from '../network/config-files.js';
import { findPlugin } from '../network/plugin.js';
import type { NativeAddon } from '../native/addon.js';
import { CAPABILITY_NAMES } from '../oci/capabilities.js';

/** What `jangada check` looks at: facts about this machine, as they were found. */
export interface HostProbe {
  /** Version of Node.js. */
  readonly node: string;
  readonly kernel: string;
  /** System calls that the native programs use and the kernel does not know. */
  readonly missingSyscalls: readonly string[];
  /** Namespaces that the kernel has: the names in /proc/self/ns. */
  readonly namespaces: readonly string[];
  /** File systems that the kernel cannot mount, of those that containers are made of. */
  readonly missingFileSystems: readonly string[];
  readonly seccomp: boolean;
  readonly pressure: boolean;
  /** user.max_user_namespaces. */
  readonly userNamespaces: number;
  /** Capabilities that the daemon does not have, by name. */
  readonly missingCapabilities: readonly string[];
  readonly cgroup:
    | {
        readonly mode: CgroupLayout['mode'];
        readonly controllers: readonly string[];
        readonly writable: boolean;
      }
    | { readonly error: string };
  readonly lsms: readonly string[];
  /** Path of apparmor_parser, when there is one. */
  readonly apparmorParser: string | undefined;
  /** Problems of the CNI configuration or its plugins; the name of the network when there is none. */
  readonly cni: { readonly network: string } | { readonly error: string };
  readonly ipForward: boolean;
  /** Type of the file system that holds images and writable layers. */
  readonly rootFileSystem: string;
  /** False when nothing can be written there, for example since an error of the disk. */
  readonly rootIsWritable: boolean;
  /** Hard limit of open files; undefined for none. */
  readonly openFiles: number | undefined;
  readonly inotifyInstances: number;
  /** Where the daemon and a supervisor listen. */
  readonly sockets: readonly string[];
  /** Native programs that are not where they belong. */
  readonly missingPrograms: readonly string[];
}

const FILE_SYSTEMS = ['overlay', 'tmpfs', 'proc', 'sysfs', 'devpts', 'mqueue'];
/** statfs(2) f_type of file systems that are worth a name here. */
const MAGIC: Readonly<Record<number, string>> = {
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x01021994: 'tmpfs',
  0x794c7630: 'overlay',
  0x6969: 'nfs',
  0x4d44: 'vfat',
  0x65735546: 'fuse',
  0x01021997: '9p',
  0x2fc12fc1: 'zfs',
  0xf2f52010: 'f2fs',
};

/** Looks, and changes nothing but for the modules that the kernel loads when it is asked for a file system. */
export const probeHost = (config: Config, addon: NativeAddon, programs: readonly string[]): HostProbe => {
  const cgroup = probeCgroups();
  const host = readHost({ mode: 'mode' in cgroup ? cgroup.mode : 'v2' });
  return {
    node: process.version,
    kernel: host.kernel,
    missingSyscalls: addon.missingSyscalls(),
    namespaces: readdirSync('/proc/self/ns'),
    missingFileSystems: FILE_SYSTEMS.filter((type) => !addon.knowsFileSystem(type)),
    seccomp: readOr('/proc/sys/kernel/seccomp/actions_avail', '').includes('errno'),
    pressure: existsSync('/proc/pressure/memory'),
    userNamespaces: Number(readOr('/proc/sys/user/max_user_namespaces', '0')),
    missingCapabilities: CAPABILITY_NAMES.filter(
      (_, number) => number <= lastCapability() && ((host.capabilities >> BigInt(number)) & 1n) === 0n,
    ),
    cgroup,
    lsms: host.lsms,
    apparmorParser: PARSERS.find((path) => existsSync(path)),
    cni: probeNetwork(config),
    ipForward: readOr('/proc/sys/net/ipv4/ip_forward', '0').trim() === '1',
    rootFileSystem: fileSystemOf(config.root),
    rootIsWritable: !isReadOnly(config),
    openFiles: host.maxOpenFiles,
    inotifyInstances: Number(readOr('/proc/sys/fs/inotify/max_user_instances', '0')),
    sockets: [config.socket, join(podDirectory(config, 'f'.repeat(64)), 'supervisor.sock')],
    missingPrograms: programs.filter((path) => !isExecutable(path)),
  };
};

const probeCgroups = (): HostProbe['cgroup'] => {
  try {
    const { mode, v1, v2 } = readLayout();
    const controllers = [...Object.keys(v1), ...(v2?.controllers ?? [])].filter((name) => !name.startsWith('name='));
    const places = mode === 'v2' && v2 ? [v2.mountPoint] : Object.values(v1);
    return { mode, controllers: [...new Set(controllers)], writable: places.every(isWritable) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
};

const probeNetwork = ({ cni }: Config): HostProbe['cni'] => {
  const { config, errors } = loadNetwork(cni.conf_dir);
  if (!config) return { error: errors[0]?.message ?? `no CNI configuration in ${cni.conf_dir}` };
  for (const { type } of config.plugins) {
    const found = findPlugin(type, cni.bin_dirs);
    if ('error' in found) return { error: found.error };
  }
  return { network: `${config.name} (${config.file})` };
};

/** Of the directory, or the nearest one above it that exists: the daemon makes the rest. */
const fileSystemOf = (path: string): string => {
  try {
    const { type } = statfsSync(path);
    return MAGIC[type] ?? `0x${type.toString(16)}`;
  } catch (error) {
    if (path === '/') throw error;
    return fileSystemOf(dirname(path));
  }
};

/** A file has to be opened: ext4 after an error does not call itself read-only. */
const isReadOnly = (config: Config): boolean => {
  try {
    closeSync(openSync(journalPath(config), 'r+'));
    return false;
  } catch (error) {
    return isUnwritable(error);
  }
};

const lastCapability = (): number => Number(readOr('/proc/sys/kernel/cap_last_cap', '40'));

const isWritable = (path: string): boolean => isAccessible(path, constants.W_OK);
const isExecutable = (path: string): boolean => isAccessible(path, constants.X_OK);

const isAccessible = (path: string, mode: number): boolean => {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
};

const readOr = (path: string, otherwise: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
};
