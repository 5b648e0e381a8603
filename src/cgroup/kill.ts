import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { deadlineExceeded } from '../base/errors.js';
import { thaw } from './freezer.js';
import type { CgroupLayout } from './layout.js';
import { cgroupDirectories } from './paths.js';

const DEADLINE_MS = 10_000;
const ROUND_MS = 10;

/**
 * Ends every process of a cgroup whose supervisor is gone, and removes the cgroup with those that the container made below it. v2 has
 * cgroup.kill for it; in v1 a fork bomb can outrun one round of signals, so rounds go on until nothing is left or the deadline has passed.
 */
export const killCgroup = async (
  layout: CgroupLayout,
  path: string,
  keeper: 'ours' | 'systemd' = 'ours',
): Promise<void> => {
  const roots = cgroupDirectories(layout, path).filter((directory) => existsSync(directory));
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const directories = roots.flatMap(subtree);
    const alive = new Set(directories.flatMap(processesOf));
    // An empty scope is systemd's to remove; it would not notice if we did.
    if (alive.size === 0 && (keeper === 'systemd' || directories.every(isRemoved))) return;
    if (performance.now() > deadline)
      throw deadlineExceeded(
        alive.size > 0
          ? `processes do not die: ${[...alive].join(', ')} of cgroup ${path}; see their /proc/PID/stack`
          : `still in use: cgroup ${path}; see what is below it`,
      );
    for (const root of roots) if (existsSync(`${root}/cgroup.kill`)) writeFileSync(`${root}/cgroup.kill`, '1');
    for (const pid of alive) kill(pid);
    for (const directory of directories) thaw(directory);
    // The kernel tells nobody when a v1 cgroup becomes empty.
    await pause(ROUND_MS);
  }
};

/** Removes one directory; false while the kernel, or whoever makes a cgroup in it, still uses it. */
const isRemoved = (directory: string): boolean => {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
    throw error;
  }
};

/** What is below comes before what it is in: the order in which cgroups can be removed. */
const subtree = (directory: string): string[] => {
  try {
    const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...below.flatMap(({ name }) => subtree(`${directory}/${name}`)), directory];
  } catch {
    return []; // removed meanwhile
  }
};

const processesOf = (directory: string): number[] => {
  try {
    return readFileSync(`${directory}/cgroup.procs`, 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return []; // removed meanwhile
  }
};

/** A pid that the kernel has just listed in our own cgroup; it may be gone by now. */
const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // already dead
  }
};
