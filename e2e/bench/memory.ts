import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Memory {
  rss: number;
  /** Shared pages divided by the number of those who share them: sums add up. */
  pss: number;
  privateDirty: number;
}

/** Memory of one process in KiB; zeros when it has ended. */
export const memoryOf = (pid: number): Memory => {
  const text = read(`/proc/${pid}/smaps_rollup`);
  const field = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
  return { rss: field('Rss'), pss: field('Pss'), privateDirty: field('Private_Dirty') };
};

/** Processes in this cgroup directory and below. */
export const processesBelow = (directory: string): number[] => [
  ...read(join(directory, 'cgroup.procs')).split('\n').filter(Boolean).map(Number),
  ...children(directory).flatMap(processesBelow),
];

const children = (directory: string): string[] => {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(directory, name));
  } catch {
    return []; // a cgroup that has just been removed
  }
};

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // a process or cgroup that has just ended
  }
};
