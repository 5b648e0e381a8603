import { readFileSync, writeFileSync } from 'node:fs';
import { type CgroupLayout, v1Mount } from './layout.js';

/**
 * In v1 a frozen process does not even die of SIGKILL before it thaws (kernel, cgroup-v1/freezer-subsystem.rst); in v2 it does. True when
 * it is not the cgroup itself that is frozen but one above it, which belongs to somebody else.
 */
export const isFrozenFromAbove = (layout: CgroupLayout, path: string): boolean => {
  const freezer = v1Mount(layout, 'freezer');
  return freezer !== undefined && read(`${freezer}${path}/freezer.parent_freezing`).trim() === '1';
};

/** Whether processes of a cgroup stand still, by whomever and wherever above it they were stopped (`docker pause`, a checkpoint). */
export const isFrozen = (layout: CgroupLayout, path: string): boolean => {
  const freezer = v1Mount(layout, 'freezer');
  if (freezer !== undefined) return read(`${freezer}${path}/freezer.state`).startsWith('FR'); // FREEZING, FROZEN
  return layout.v2 !== undefined && /^frozen 1$/m.test(read(`${layout.v2.mountPoint}${path}/cgroup.events`));
};

/** Empty when it was removed meanwhile. */
const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** Lets the processes of one v1 directory run, so that they can die; a directory of another hierarchy has no such file. */
export const thaw = (directory: string): void => {
  try {
    writeFileSync(`${directory}/freezer.state`, 'THAWED', { flag: 'r+' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
};
