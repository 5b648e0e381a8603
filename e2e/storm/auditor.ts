import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Daemon } from '../harness/daemon.js';
import { processesOf } from '../harness/leaks.js';

/** Numbers that are others after a restart, although the things are the same. */
const nameless = (line: string): string =>
  line
    .replace(/^process \d+:/, 'process:')
    .replace(/^\/proc\/\d+\/(ns|fd)\/\S+ /, 'held: ')
    .replace(/^mount \d+ \d+ \d+:\d+ /, 'mount ');

/** Everything on this host that is there by the daemon, in the words that make two moments comparable. */
export const inventory = async (daemon: Daemon): Promise<string[]> =>
  [...(await daemon.held()).map(nameless), ...(await mountsOfAll(daemon)), ...(await descriptors(daemon))].sort();

/** Mounts of what is the daemon's, in each mount namespace that a process of it is in. */
const mountsOfAll = async ({ cgroup, home, state, root }: Daemon): Promise<string[]> => {
  const seen = new Set<string>();
  const found: string[] = [];
  for (const { pid } of await processesOf(cgroup)) {
    const namespace = await readlink(`/proc/${pid}/ns/mnt`).catch(() => '');
    if (namespace === '' || seen.has(namespace)) continue;
    seen.add(namespace);
    const lines = (await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '')).split('\n');
    for (const line of lines.filter((one) => [home, state, root].some((place) => one.includes(place))))
      found.push(`mounted: ${line.split(' ')[4]}`);
  }
  return found;
};

/** How many a supervisor, which outlives all others, has open. */
const descriptors = async ({ cgroup }: Daemon): Promise<string[]> => {
  const supervisors = (await processesOf(cgroup)).filter(({ command }) => command.startsWith('jangada-pod'));
  const counts = supervisors.map(async ({ pid }) => (await readdir(`/proc/${pid}/fd`).catch(() => [])).length);
  return (await Promise.all(counts)).map((count) => `supervisor with ${count} descriptors`);
};

/** What is in one list and not in the other, by how often it is there. */
export const difference = (before: readonly string[], after: readonly string[]): string[] => {
  const counts = new Map<string, number>();
  for (const line of after) counts.set(line, (counts.get(line) ?? 0) + 1);
  for (const line of before) counts.set(line, (counts.get(line) ?? 0) - 1);
  return [...counts].filter(([, count]) => count !== 0).map(([line, count]) => `${count > 0 ? '+' : '-'} ${line}`);
};
