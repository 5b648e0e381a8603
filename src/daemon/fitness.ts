import { isKernelAtLeast } from '../base/kernel-version.js';
import { type Finding, limited, missing, ok } from './finding.js';
import type { HostProbe } from './host-probe.js';
import { judgeNode } from './node-fitness.js';

type Judge = (probe: HostProbe) => Finding;

/** Without it only recursive read-only mounts are refused; without any other call no container can be made. */
const OPTIONAL_SYSCALL = 'mount_setattr';
const NAMESPACES = ['mnt', 'pid', 'net', 'ipc', 'uts'];
/** What the daemon and its programs cannot do without, whatever the pods ask for. */
const CAPABILITIES = 'CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_ADMIN SETGID SETPCAP SETUID SYS_ADMIN SYS_CHROOT'
  .split(' ')
  .map((name) => `CAP_${name}`);
/** The kubelet refuses to start without these. */
const CONTROLLERS = ['cpu', 'cpuset', 'memory', 'pids'];
const FEW_FILES = 65_536;
const FEW_INOTIFY = 512;
/** overlayfs wants extended attributes and rename whiteouts of the file system that is written to. */
const NO_UPPER_LAYER = ['overlay', 'nfs', 'vfat', 'fuse', '9p'];

const systemCalls: Judge = ({ kernel, missingSyscalls: absent }) => {
  const needed = absent.filter((name) => name !== OPTIONAL_SYSCALL);
  if (needed.length > 0)
    return missing(
      'system calls',
      `no ${needed.join(', ')}`,
      'no container can be made',
      `Linux 5.9 or newer, not ${kernel}`,
    );
  if (absent.length > 0)
    return limited(
      'system calls',
      `no ${OPTIONAL_SYSCALL}`,
      'recursive read-only mounts are refused',
      'Linux 5.12 or newer',
    );
  return ok('system calls', kernel);
};

const namespaces: Judge = ({ namespaces: present }) => {
  const absent = NAMESPACES.filter((name) => !present.includes(name));
  return absent.length > 0
    ? missing('namespaces', `no ${absent.join(', ')}`, 'no pod can be made', 'a kernel with these namespaces')
    : ok('namespaces', present.filter((name) => !name.includes('_')).join(' '));
};

const userNamespaces: Judge = ({ namespaces: present, userNamespaces: most, kernel }) => {
  const cost = 'pods with hostUsers: false are refused';
  if (!present.includes('user'))
    return limited('user namespaces', 'not in this kernel', cost, 'a kernel with CONFIG_USER_NS');
  if (most === 0)
    return limited('user namespaces', 'user.max_user_namespaces is 0', cost, 'sysctl user.max_user_namespaces=65536');
  if (!isKernelAtLeast(kernel, 5, 19))
    return limited(
      'user namespaces',
      `no idmapped layers in ${kernel}`,
      cost,
      'Linux 5.19 or newer, 6.3 for tmpfs volumes',
    );
  return ok('user namespaces', `${most}, idmapped mounts`);
};

const fileSystems: Judge = ({ missingFileSystems: absent }) =>
  absent.length > 0
    ? missing(
        'file systems',
        `no ${absent.join(', ')}`,
        'no container can be made',
        `modprobe ${absent[0]}, or a kernel that has it`,
      )
    : ok('file systems', 'overlay and all others');

const storage: Judge = ({ rootFileSystem: type, rootIsWritable }) => {
  if (NO_UPPER_LAYER.includes(type))
    return missing('storage', type, `overlayfs cannot write to ${type}`, 'put root in config.toml on ext4 or xfs');
  if (!rootIsWritable)
    return limited(
      'storage',
      `${type}, read-only`,
      'pods can be used, stopped and removed, and none be made',
      'see the kernel log for what happened to the disk; unmount it, fsck, mount it read-write',
    );
  return ok('storage', type);
};

const cgroups: Judge = ({ cgroup }) => {
  const remedy = 'mount -t cgroup2 cgroup2 /sys/fs/cgroup';
  if ('error' in cgroup) return missing('cgroups', cgroup.error, 'nothing can be limited or found again', remedy);
  if (cgroup.mode === 'none')
    return limited(
      'cgroups',
      'none without root',
      'limits of memory, CPU and processes are not enforced, stats have none of these',
      'a daemon of root where containers need limits',
    );
  if (!cgroup.writable)
    return missing('cgroups', 'read-only', 'nothing can be limited or found again', 'mount them read-write');
  if (cgroup.mode === 'v2') return ok('cgroups', 'v2');
  const cost = 'no memory QoS, pressure of pods or atomic kill; recent kubelets refuse such a node';
  return limited('cgroups', cgroup.mode, cost, 'boot with systemd.unified_cgroup_hierarchy=1');
};

const controllers: Judge = ({ cgroup }) => {
  if ('mode' in cgroup && cgroup.mode === 'none') return ok('controllers', 'see cgroups');
  const present = 'error' in cgroup ? [] : cgroup.controllers;
  const absent = CONTROLLERS.filter((name) => !present.includes(name));
  const rest = ['hugetlb', 'io', 'blkio'].filter((name) => present.includes(name));
  return absent.length > 0
    ? limited(
        'controllers',
        `no ${absent.join(', ')}`,
        `${absent.join(', ')}: limits are not enforced; the kubelet wants them`,
        'cgroup_enable= on the kernel command line',
      )
    : ok('controllers', [...CONTROLLERS, ...rest].join(' '));
};

/** A program of version 2 keeps containers from devices, or the controller of version 1 does. */
const deviceGuard: Judge = ({ cgroup }) => {
  const guarded = !('error' in cgroup) && (cgroup.mode !== 'v1' || cgroup.controllers.includes('devices'));
  return guarded
    ? ok('devices', 'guarded')
    : limited(
        'devices',
        'neither the v1 controller nor cgroup2',
        'containers that are not privileged are refused',
        'mount -t cgroup -o devices devices /sys/fs/cgroup/devices, or cgroup2',
      );
};

const capabilities: Judge = ({ missingCapabilities: absent }) => {
  const needed = absent.filter((name) => CAPABILITIES.includes(name));
  if (needed.length > 0)
    return missing(
      'privileges',
      `no ${needed.join(', ')}`,
      'no container can be made',
      'start the daemon as root of the host',
    );
  if (absent.length > 0)
    return limited(
      'privileges',
      `no ${absent.join(', ')}`,
      'no container gets them, privileged ones included',
      'start the daemon as root of the host',
    );
  return ok('privileges', 'all capabilities');
};

const seccomp: Judge = ({ seccomp: present }) =>
  present
    ? ok('seccomp', 'filters')
    : limited(
        'seccomp',
        'none',
        'containers with a seccomp profile are refused',
        'a kernel with CONFIG_SECCOMP_FILTER',
      );

const securityModule: Judge = ({ lsms, apparmorParser }) => {
  if (lsms.includes('selinux')) return ok('security module', 'selinux');
  if (!lsms.includes('apparmor'))
    return limited(
      'security module',
      'none',
      'containers are not confined by AppArmor or SELinux',
      'boot with apparmor=1 security=apparmor',
    );
  return apparmorParser
    ? ok('security module', `apparmor, ${apparmorParser}`)
    : limited(
        'security module',
        'apparmor without apparmor_parser',
        'no default profile: RuntimeDefault is refused',
        'install the package apparmor',
      );
};

const network: Judge = ({ cni }) =>
  'error' in cni
    ? limited(
        'pod network',
        cni.error,
        'NetworkReady is false: pods on the host network only',
        'a CNI configuration and its plugins',
      )
    : ok('pod network', cni.network);

const forwarding: Judge = ({ ipForward }) =>
  ipForward
    ? ok('IP forwarding', 'on')
    : limited('IP forwarding', 'off', 'pods reach nothing beyond the node', 'sysctl net.ipv4.ip_forward=1');

const openFiles: Judge = ({ openFiles: hard }) =>
  hard !== undefined && hard < FEW_FILES
    ? limited(
        'open files',
        String(hard),
        'the limit of all containers, and of the daemon',
        `LimitNOFILE=1048576 in the unit`,
      )
    : ok('open files', hard === undefined ? 'unlimited' : String(hard));

const inotify: Judge = ({ inotifyInstances: most }) =>
  most < FEW_INOTIFY
    ? limited(
        'inotify',
        `${most} instances`,
        'the kubelet and programs that watch files fail with many pods',
        'sysctl fs.inotify.max_user_instances=8192',
      )
    : ok('inotify', `${most} instances`);

const pressure: Judge = ({ pressure: present }) =>
  present
    ? ok('pressure stall', 'on')
    : limited('pressure stall', 'off', 'stats have no pressure (PSI)', 'boot with psi=1');

/** sockaddr_un.sun_path without its NUL (unix(7)). */
const SOCKET_PATH_MAX = 107;

const sockets: Judge = ({ sockets: paths }) => {
  const lengths = paths.map((path) => Buffer.byteLength(path));
  const longest = Math.max(...lengths);
  return longest > SOCKET_PATH_MAX
    ? missing(
        'sockets',
        `a path of ${longest} bytes, the kernel takes ${SOCKET_PATH_MAX}: ${paths[lengths.indexOf(longest)]}`,
        'no pod can be made',
        `make state or socket in config.toml shorter by ${longest - SOCKET_PATH_MAX} bytes`,
      )
    : ok('sockets', `paths of up to ${longest} bytes`);
};

const programs: Judge = ({ missingPrograms: absent }) =>
  absent.length > 0
    ? missing(
        'native programs',
        `no ${absent.join(', ')}`,
        'no pod can be made',
        'install jangada again, or make build',
      )
    : ok('native programs', 'in place');

const node: Judge = ({ node: version }) => judgeNode(version);

/** What root of the host has, or not; in a user namespace of its own a daemon is told other things (src/rootless). */
const OF_ROOT: readonly Judge[] = [userNamespaces, cgroups, controllers, deviceGuard, capabilities, forwarding];
const OF_ANYBODY: readonly Judge[] = [
  node,
  systemCalls,
  namespaces,
  fileSystems,
  storage,
  seccomp,
  securityModule,
  network,
  openFiles,
  inotify,
  pressure,
  sockets,
  programs,
];

export const judge = (probe: HostProbe): Finding[] => [...OF_ANYBODY, ...OF_ROOT].map((one) => one(probe));

/** For whoever will not be root before the daemon is in namespaces of its own. */
export const judgeForUser = (probe: HostProbe): Finding[] => OF_ANYBODY.map((one) => one(probe));

/** 0: fit; 1: works with limits; 2: cannot work. */
export const exitStatus = (findings: readonly Finding[]): 0 | 1 | 2 => {
  if (findings.some(({ state }) => state === 'missing')) return 2;
  return findings.some(({ state }) => state === 'limited') ? 1 : 0;
};

/** Why the daemon cannot work here, in one line; undefined when it can. */
export const refusal = (findings: readonly Finding[]): string | undefined => {
  const reasons = findings
    .filter(({ state }) => state === 'missing')
    .map(({ what, found, cost, remedy }) => `${what}: ${found}: ${cost}; ${remedy}`);
  return reasons.length > 0 ? reasons.join('; ') : undefined;
};
