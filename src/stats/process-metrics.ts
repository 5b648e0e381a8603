import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { CgroupMounts } from './cgroup-stats.js';
import type { Sample } from './metric-descriptors.js';

/** Looking at processes costs time for each of them: a fork bomb must not be able to hold up the daemon. */
const MOST_PROCESSES = 256;
/** Descriptors that are looked at, to tell sockets from files. */
const MOST_DESCRIPTORS = 2048;

/** Processes of a container, what they have open, and the first one's limits. Of very many, the first ones are looked at. */
export const processSamples = ({ v1, v2 }: CgroupMounts, path: string): Sample[] => {
  const mountPoint = v1['pids'] ?? v1['name=systemd'] ?? v2?.mountPoint;
  const pids = pidsIn(`${mountPoint}${path}/cgroup.procs`);
  if (!pids) return [];
  let descriptors = 0;
  let sockets = 0;
  let looked = 0;
  for (const pid of pids.slice(0, MOST_PROCESSES)) {
    const open = openOf(pid, MOST_DESCRIPTORS - looked);
    descriptors += open.descriptors;
    sockets += open.sockets;
    looked += open.looked;
  }
  const soft = pids[0] === undefined ? undefined : openFilesLimit(pids[0]);
  return [
    { name: 'container_processes', value: pids.length },
    { name: 'container_file_descriptors', value: descriptors },
    { name: 'container_sockets', value: sockets },
    ...(soft === undefined
      ? []
      : [{ name: 'container_ulimits_soft', value: soft, labels: ['max_open_files'] } as const]),
  ];
};

const pidsIn = (file: string): string[] | undefined =>
  quietly(() => readFileSync(file, 'latin1').split('\n').filter(Boolean));

/** A process may end at any moment: then it has nothing open. */
const openOf = (pid: string, most: number): { descriptors: number; sockets: number; looked: number } => {
  const directory = `/proc/${pid}/fd`;
  // Since Linux 6.2 the directory's size is the number of descriptors.
  const counted = quietly(() => statSync(directory).size) ?? 0;
  if (most <= 0) return { descriptors: counted, sockets: 0, looked: 0 };
  const names = quietly(() => readdirSync(directory)) ?? [];
  const some = names.slice(0, most);
  const sockets = some.filter((name) =>
    quietly(() => readlinkSync(`${directory}/${name}`))?.startsWith('socket:'),
  ).length;
  return { descriptors: Math.max(counted, names.length), sockets, looked: some.length };
};

/** Undefined when there is no limit: the CRI's values have no word for it. */
const openFilesLimit = (pid: string): number | undefined => {
  const limits = quietly(() => readFileSync(`/proc/${pid}/limits`, 'latin1')) ?? '';
  const soft = /^Max open files +(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
};

const quietly = <T>(look: () => T): T | undefined => {
  try {
    return look();
  } catch {
    return undefined; // it has ended meanwhile
  }
};
