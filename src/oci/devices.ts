import { invalidArgument } from '../base/errors.js';
import type { Device__Output } from '../gen/runtime/v1/Device.js';
import { containerPath } from './container-path.js';
import type { OciDevice, OciDeviceRule } from './spec.js';
import type { HostDevice } from './spec-input.js';

/** Device nodes that every container has (runtime-spec, config-linux.md, "Default Devices"). */
const DEFAULTS: readonly Readonly<OciDevice>[] = [
  node('/dev/null', 1, 3),
  node('/dev/zero', 1, 5),
  node('/dev/full', 1, 7),
  node('/dev/random', 1, 8),
  node('/dev/urandom', 1, 9),
  node('/dev/tty', 5, 0),
];

/** They belong to the container's root; every other node keeps its owner on the host, who says what it is good for. */
export const DEFAULT_DEVICES: ReadonlySet<string> = new Set(DEFAULTS.map(({ path }) => path));

function node(path: string, major: number, minor: number): OciDevice {
  return { path, type: 'c', major, minor, fileMode: 0o666, uid: 0, gid: 0 };
}

/** What the device controller lets every container do: make any node (without CAP_MKNOD it cannot), use the defaults and terminals. */
const DEFAULT_RULES: readonly Readonly<OciDeviceRule>[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...DEFAULTS.map(({ major, minor }): OciDeviceRule => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' }, // /dev/pts/<n>
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' }, // /dev/ptmx
];

export interface Devices {
  nodes: OciDevice[];
  rules: OciDeviceRule[];
}

/** The nodes in the container and what the device controller allows; a privileged container has all of the host's. */
export function containerDevices(
  requested: readonly Device__Output[],
  hostDevices: readonly HostDevice[],
  privileged: boolean,
): Devices {
  const chosen = requested.flatMap((device) => requestedDevices(device, hostDevices));
  const nodes = new Map(DEFAULTS.map((device) => [device.path, { ...device }]));
  if (privileged) {
    // The container has terminals of its own: the host's /dev/pts, /dev/ptmx and /dev/console stay outside.
    for (const device of hostDevices)
      if (device.path.startsWith('/dev/') && !isTerminal(device.path))
        nodes.set(device.path, ociDevice(device, containerPath(device.path, 'device')));
  }
  for (const { device } of chosen) nodes.set(device.path, device);
  const rules: OciDeviceRule[] = privileged
    ? [{ allow: true, access: 'rwm' }]
    : [
        ...DEFAULT_RULES.map((rule) => ({ ...rule })),
        ...chosen.map(({ device: { type, major, minor }, access }) => ({ allow: true, type, major, minor, access })),
      ];
  return { nodes: [...nodes.values()], rules };
}

/** Where the host has a device. Those that every container gets are where everybody has them. */
export const deviceSource =
  (hostDevices: readonly HostDevice[]) =>
  ({ path, type, major, minor }: OciDevice): string =>
    hostDevices.find((device) => device.type === type && device.major === major && device.minor === minor)?.path ??
    path;

const isTerminal = (path: string): boolean =>
  path === '/dev/ptmx' || path === '/dev/console' || path.startsWith('/dev/pts/');

/** One device node, or every node below a host directory (as containerd does for a directory). */
function requestedDevices(
  { hostPath, containerPath: path, permissions }: Device__Output,
  hostDevices: readonly HostDevice[],
): Array<{ device: OciDevice; access: string }> {
  const target = containerPath(path || hostPath, 'container_path of device');
  if (target === '/') throw invalidArgument(`container_path of device ${hostPath} is the root`);
  if (!hostPath.startsWith('/'))
    throw invalidArgument(`not an absolute path: host_path ${JSON.stringify(hostPath)} of device ${target}`);
  const access = accessOf(permissions, hostPath);
  const prefix = `${hostPath.replace(/\/+$/, '')}/`;
  const found = hostDevices.filter((device) => device.path === hostPath || device.path.startsWith(prefix));
  if (found.length === 0)
    throw invalidArgument(
      `no device node: host_path ${JSON.stringify(hostPath)} of device ${target}; check the path on the node`,
    );
  return found.map((device) => ({
    device: ociDevice(device, device.path === hostPath ? target : `${target}/${device.path.slice(prefix.length)}`),
    access,
  }));
}

function ociDevice({ type, major, minor, mode, uid, gid }: HostDevice, path: string): OciDevice {
  return { path, type, major, minor, fileMode: mode & 0o777, uid, gid };
}

function accessOf(permissions: string, device: string): string {
  const letters = new Set(permissions);
  if (!/^[rwm]{1,3}$/.test(permissions) || letters.size !== permissions.length)
    throw invalidArgument(`not one or more of r, w, m: permissions ${JSON.stringify(permissions)} of device ${device}`);
  return permissions;
}
