import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';

/** What must not be there any more once everything was removed and the daemon stopped: each a line that says what was found where. */
export const findLeaks = async (places: string[], cgroupParent: string): Promise<string[]> => [
  ...(await mountsBelow(places)),
  ...(await cgroupsOf(cgroupParent)).map((path) => `cgroup ${path}`),
  ...(await processesOf(places, cgroupParent)).map(({ pid, why }) => `process ${pid}: ${why}`),
];

const mountsBelow = async (places: string[]): Promise<string[]> => {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.filter((line) => mentions(line, places)).map((line) => `mount ${line}`);
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
  why: string;
}

/** Processes in the cgroups, with a command line, a binary or a socket below one of the places. */
export const processesOf = async (places: string[], cgroupParent: string): Promise<Found[]> => {
  const sockets = await socketsBelow(places);
  const pids = (await names('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.filter((pid) => pid !== process.pid).map((pid) => connection(pid, places, cgroupParent, sockets)),
  );
  return found.filter((one) => one !== undefined);
};

const connection = async (
  pid: number,
  places: string[],
  parent: string,
  sockets: ReadonlySet<string>,
): Promise<Found | undefined> => {
  const read = (name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
  const [command, cgroup] = await Promise.all([read('cmdline'), read('cgroup')]);
  const shown = command.replaceAll('\0', ' ').trim();
  if (mentions(command, places)) return { pid, why: `command line ${shown}` };
  if (cgroup.split('\n').some((line) => `${line.split(':')[2]}/`.startsWith(`${parent}/`)))
    return { pid, why: `in our cgroup: ${shown}` };
  const held = await Promise.all(
    (await names(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
  );
  const socket = held.find((target) => sockets.has(target));
  return socket ? { pid, why: `serves ${socket}: ${shown}` } : undefined;
};

/** `socket:[inode]` of every unix socket bound below one of the places. */
const socketsBelow = async (places: string[]): Promise<Set<string>> => {
  const lines = (await readFile('/proc/net/unix', 'utf8')).split('\n').filter((line) => mentions(line, places));
  return new Set(lines.map((line) => `socket:[${line.trim().split(/\s+/)[6]}]`));
};

/** Every path below `root`, relative to it. */
export const treeOf = async (root: string): Promise<string[]> => {
  const entries = await readdir(root, { recursive: true }).catch(() => []);
  return entries.sort();
};

const mentions = (text: string, places: string[]): boolean => places.some((place) => text.includes(place));

const names = (path: string): Promise<string[]> => readdir(path).catch(() => []);
