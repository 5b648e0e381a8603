import { invalidArgument } from '../base/errors.js';
import type { CgroupLayout } from './layout.js';

/** NAME_MAX of cgroupfs, and enough levels for the kubelet's three with room to spare. */
const MAX_NAME = 255;
const MAX_DEPTH = 32;

/**
 * With the cgroupfs driver any name is a directory's, that of a systemd slice too; but it must stay inside the
 * hierarchy.
 */
export const checkCgroupPath = (path: string): string => {
  const refuse = (why: string) =>
    invalidArgument(
      `${why}: cgroup_parent "${path}"; the cgroupfs driver takes an absolute path such as "/kubepods/burstable/pod1"`,
    );
  if (!path.startsWith('/')) {
    throw refuse(
      /^[^/]+\.slice(:|$)/.test(path) ? 'systemd slice without a systemd cgroup driver' : 'not an absolute path',
    );
  }
  if (/[\p{Cc}\\]/u.test(path)) throw refuse('character that no cgroup path has');
  const names = path.split('/').filter(Boolean);
  if (names.includes('..') || names.includes('.')) throw refuse('relative component in the path');
  if (names.length === 0) throw refuse("the hierarchy's root belongs to the host");
  if (names.length > MAX_DEPTH || names.some((name) => Buffer.byteLength(name) > MAX_NAME))
    throw refuse('too deep or too long');
  return `/${names.join('/')}`;
};

/** Every directory of one cgroup, one per mounted hierarchy. */
export const cgroupDirectories = (layout: CgroupLayout, path: string): string[] => {
  const mountPoints = new Set(Object.values(layout.v1));
  if (layout.v2) mountPoints.add(layout.v2.mountPoint);
  return [...mountPoints].map((mountPoint) => `${mountPoint}${path}`);
};
