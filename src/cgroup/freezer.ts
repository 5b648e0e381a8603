import { readFileSync, writeFileSync } from 'node:fs';
import { type CgroupLayout, v1Mount } from './layout.js';

/**
 * In v1 a frozen process does not even die of SIGKILL before it thaws (kernel, cgroup-v1/freezer-subsystem.rst); in v2 it does. True when
 * it is not the cgroup itself that is frozen but one above it, which belongs to somebody else.
 */
export const isFrozenFromAbove = (layout: CgroupLayout, path: string): boolean => {
  const freezer = v1Mount(layout, 'freezer');
  try {
    return freezer !== undefined && readFileSync(`${freezer}${path}/freezer.parent_freezing`, 'utf8').trim() === '1';
  } catch {
    return false; // removed meanwhile
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
