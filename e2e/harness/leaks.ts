import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';

/** What must not be there any more once everything was removed and the daemon stopped: each a line that says what was found where. */
export const findLeaks = async (places: string[], cgroup: string): Promise<string[]> => [
  ...(await mountsBelow(places)),
  ...(await cgroupsOf(`${cgroup}/pods`)).map((path) => `cgroup ${path}`),
  ...(await processesOf(cgroup)).map(({ pid, command }) => `process ${pid}: ${command}`),
];

const mountsBelow = async (places: string[]): Promise<string[]> => {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.filter((line) => places.some((place) => line.includes(place))).map((line) => `mount ${line}`);
};

/** Directories below the cgroup parent, in whichever hierarchies this host has; the parent itself is configuration. */
export const cgroupsOf = async (parent: string): Promise<string[]> => {
  const below = await Promise.all((await hierarchies()).map((root) => directoriesBelow(join(root, parent))));
  return below.flat();
};

/** Roots of the cgroup hierarchies: one on cgroup v2, one a controller on v1. */
export const hierarchies = async (): Promise<string[]> => [
  CGROUPS,
  ...(await names(CGROUPS)).map((name) => join(CGROUPS, name)),
];

const directoriesBelow = async (path: string): Promise<string[]> => {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  const children = entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
  return [...children, ...(await Promise.all(children.map(directoriesBelow))).flat()];
};

export interface Found {
  pid: number;
  command: string;
}

/** Processes at or below this cgroup, in whichever hierarchy: a daemon was born in it, and what it starts is too. */
export const processesOf = async (cgroup: string): Promise<Found[]> => {
  const pids = (await names('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => memberOf(pid, cgroup)));
  return found.filter((one) => one !== undefined);
};

const memberOf = async (pid: number, cgroup: string): Promise<Found | undefined> => {
  const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
  const paths = (await read('cgroup')).split('\n').map((line) => `${line.split(':')[2]}/`);
  if (!paths.some((path) => path.startsWith(`${cgroup}/`))) return undefined;
  return { pid, command: (await read('cmdline')).replaceAll('\0', ' ').trim() };
};

/** The namespaces that processes of this cgroup are in or keep open. */
export const namespacesHeld = async (cgroup: string): Promise<string[]> => {
  const links = (await processesOf(cgroup)).flatMap(({ pid }) => [`/proc/${pid}/ns`, `/proc/${pid}/fd`]);
  const held = await Promise.all(links.map(async (directory) => linksIn(directory)));
  return held.flat().filter((line) => / [a-z_]+:\[\d+\]$/.test(line) && !/ (socket|pipe):/.test(line));
};

const linksIn = async (directory: string): Promise<string[]> =>
  Promise.all(
    (await names(directory)).map(async (name) => {
      const path = join(directory, name);
      return `${path} ${await readlink(path).catch(() => '')}`;
    }),
  );

/** Every path below `root`, relative to it; what disappears meanwhile is not there. */
export const treeOf = async (root: string): Promise<string[]> => {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  const trees = entries.map(async (entry) => {
    const below = entry.isDirectory() ? await treeOf(join(root, entry.name)) : [];
    return [entry.name, ...below.map((path) => join(entry.name, path))];
  });
  return (await Promise.all(trees)).flat().sort();
};

const names = (path: string): Promise<string[]> => readdir(path).catch(() => []);
