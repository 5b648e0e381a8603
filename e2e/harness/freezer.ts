import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isUnified } from './cgroup.js';
import { until } from './wait.js';

const ROOT = isUnified ? '/sys/fs/cgroup' : '/sys/fs/cgroup/freezer';

/** Freezes a cgroup, as `runc pause` does, and waits until the kernel says so; answers how to thaw it. */
export const freeze = async (cgroup: string): Promise<() => Promise<void>> => {
  const directory = join(ROOT, cgroup);
  const [file, frozen, thawed] = isUnified ? ['cgroup.freeze', '1', '0'] : ['freezer.state', 'FROZEN', 'THAWED'];
  await writeFile(join(directory, file), frozen);
  const [state, word] = isUnified ? ['cgroup.events', 'frozen 1'] : ['freezer.state', 'FROZEN'];
  await until(`${cgroup} to be frozen`, async () => (await readFile(join(directory, state), 'utf8')).includes(word));
  return () => writeFile(join(directory, file), thawed);
};

/** The processes of a cgroup, frozen or not. */
export const processesAt = async (cgroup: string): Promise<string[]> =>
  (await readFile(join(ROOT, cgroup, 'cgroup.procs'), 'utf8')).split('\n').filter(Boolean);

/** Makes a cgroup below one that exists, as a privileged container may, and moves a process into it. */
export const makeChild = async (cgroup: string, pid: number): Promise<string> => {
  const child = join(cgroup, 'child');
  await mkdir(join(ROOT, child));
  await writeFile(join(ROOT, child, 'cgroup.procs'), String(pid));
  return child;
};
