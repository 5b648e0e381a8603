import { rmdirSync } from 'node:fs';
import { invalidArgument } from '../errors.js';
import type { CgroupLayout } from './layout.js';

/** Above the sandboxes that were given no cgroup parent. */
const ROOT = '/jangada';
/** NAME_MAX of cgroupfs, and enough levels for the kubelet's three with room to spare. */
const MAX_NAME = 255;
const MAX_DEPTH = 32;

/** The cgroup that a pod's containers live under: the kubelet's when it names one (LinuxPodSandboxConfig.cgroup_parent), else ours. */
export const sandboxCgroup = (requested: string, sandboxId: string): string =>
  requested === '' ? `${ROOT}/${sandboxId}` : checkCgroupPath(requested);

export const containerCgroup = (parent: string, id: string): string => `${parent}/${id}`;

/** With the cgroupfs driver any name is a directory's, that of a systemd slice too; but it must stay inside the hierarchy. */
const checkCgroupPath = (path: string): string => {
  const refuse = (why: string) => invalidArgument(`${why}: cgroup_parent "${path}"; the cgroupfs driver takes an absolute path such as "/kubepods/burstable/pod1"`);
  if (!path.startsWith('/')) {
    throw refuse(/^[^/]+\.slice(:|$)/.test(path) ? 'systemd slice without a systemd cgroup driver' : 'not an absolute path');
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\u0000-\u001f\u007f\\]/.test(path)) throw refuse('character that no cgroup path has');
  const names = path.split('/').filter(Boolean);
  if (names.includes('..') || names.includes('.')) throw refuse('relative component in the path');
  if (names.length === 0) throw refuse("the hierarchy's root belongs to the host");
  if (names.length > MAX_DEPTH || names.some((name) => Buffer.byteLength(name) > MAX_NAME)) throw refuse('too deep or too long');
  return `/${names.join('/')}`;
};

/** Every directory of one cgroup, one per mounted hierarchy. */
export const cgroupDirectories = (layout: CgroupLayout, path: string): string[] => {
  const mountPoints = new Set(Object.values(layout.v1));
  if (layout.v2) mountPoints.add(layout.v2.mountPoint);
  return [...mountPoints].map((mountPoint) => `${mountPoint}${path}`);
};

/**
 * Removes what is left of a sandbox's cgroup after its containers are gone. Parents that the kubelet named are the kubelet's to remove.
 * With `last`, when no other sandbox exists or is being made, the common parent goes too, so that an unused host has no trace of us.
 */
export const removeSandboxCgroup = (layout: CgroupLayout, parent: string, sandboxId: string, last: boolean): void => {
  if (parent === `${ROOT}/${sandboxId}`) for (const directory of cgroupDirectories(layout, parent)) remove(directory);
  if (last) for (const directory of cgroupDirectories(layout, ROOT)) remove(directory);
};

const remove = (directory: string): void => {
  try {
    rmdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
};
