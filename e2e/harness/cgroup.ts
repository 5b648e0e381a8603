import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cgroupsOf, hierarchies } from './leaks.js';
import type { Cri } from './client.js';
import { until } from './wait.js';

const ROOT = '/sys/fs/cgroup';

/** True on a host with cgroup v2 alone. */
export const isUnified = existsSync(join(ROOT, 'cgroup.controllers'));

/** Where the container's process is and what its cgroup says, from the daemon's verbose status. */
export const containerInfo = async (cri: Cri, containerId: string): Promise<{ pid: number; cgroupPath: string }> => {
  const { info } = await cri.containerStatus({ containerId, verbose: true });
  return JSON.parse(info['info'] ?? '{}') as { pid: number; cgroupPath: string };
};

/** One value of a container's cgroup: `memory/memory.limit_in_bytes` on v1 or `memory.max` on v2. */
export const cgroupValue = async (cri: Cri, containerId: string, v1: string, v2: string): Promise<string> => {
  const { cgroupPath } = await containerInfo(cri, containerId);
  const [controller = '', file = ''] = v1.split('/');
  const path = isUnified ? join(ROOT, cgroupPath, v2) : join(ROOT, controller, cgroupPath, file);
  return (await readFile(path, 'utf8')).trim();
};

/** Makes a cgroup that limits nothing; answers its directory. On v1 in the hierarchy that only names, as systemd does. */
export const makeCgroup = async (path: string): Promise<string> => {
  const directory = join(ROOT, isUnified ? '' : 'systemd', path);
  await mkdir(directory, { recursive: true });
  return directory;
};

/** Removes what is empty of this cgroup and all below it, in every hierarchy. */
export const removeCgroups = async (parent: string): Promise<void> => {
  const own = (await hierarchies()).map((root) => join(root, parent));
  const deepestFirst = [...(await cgroupsOf(parent)), ...own].sort((a, b) => b.length - a.length);
  for (const path of deepestFirst)
    await until(`the end of ${path}`, () => isRemoved(path), LEAVING_MS).catch(() => undefined);
};

/** /proc says that an ending process is in no cgroup before that is so: one that lets a network namespace go takes its time in between. */
const LEAVING_MS = 2_000;

/** Most hierarchies never had it. */
const isRemoved = (path: string): Promise<boolean> =>
  rmdir(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'EBUSY',
  );
