import { lstat, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { deviceNode } from '../base/device-node.js';
import type { ContainerConfig__Output } from '../gen/runtime/v1/ContainerConfig.js';
import type { HostDevice } from '../oci/spec-input.js';

const MAX_DEVICES = 4096;
const DIRECTORY_DEPTH = 4;
/** File systems of their own, and what every container gets from the runtime anyway. */
const SKIP = new Set(['/dev/pts', '/dev/shm', '/dev/mqueue', '/dev/hugepages', '/dev/fd', '/dev/console', '/dev/ptmx']);

/**
 * Device nodes that a container asks for: those at or below the requested paths and, when it is privileged, all of the host's. A requested
 * path may be a link, as all of /dev/serial/by-id are: its nodes go by the name that was asked for.
 */
export const hostDevices = async (config: ContainerConfig__Output, withoutHost: boolean): Promise<HostDevice[]> => {
  const all = config.linux?.securityContext?.privileged && !withoutHost;
  const roots = [...(all ? ['/dev'] : []), ...config.devices.map((device) => device.hostPath)];
  const found = new Map<string, HostDevice>();
  for (const root of new Set(roots)) {
    const place = root.startsWith('/') ? await realpath(root).catch(() => undefined) : undefined;
    // What is missing is reported where the request is checked.
    if (place !== undefined) await collect(place, root, DIRECTORY_DEPTH, found);
  }
  return [...found.values()];
};

const collect = async (place: string, path: string, depth: number, found: Map<string, HostDevice>): Promise<void> => {
  if (SKIP.has(place) || SKIP.has(path) || found.size >= MAX_DEVICES) return;
  const info = await lstat(place).catch(() => undefined);
  if (!info) return;
  const node = deviceNode(info);
  if (node) found.set(path, { path, ...node, mode: info.mode & 0o777, uid: info.uid, gid: info.gid });
  if (!info.isDirectory() || depth === 0) return;
  const below = path.replace(/\/+$/, '');
  for (const name of await readdir(place)) await collect(join(place, name), `${below}/${name}`, depth - 1, found);
};
