import type { PsiStats } from '../gen/runtime/v1/PsiStats.js';
import { field, fieldText, numberOf, readCgroupFile } from './cgroup-file.js';
import type { ReadFile } from './cgroup-files.js';
import { parsePressure } from './pressure.js';

/** Where the hierarchies are mounted: the part of a cgroup layout that readings need. */
export interface CgroupMounts {
  readonly v1: Readonly<Record<string, string>>;
  readonly v2?: { readonly mountPoint: string; readonly controllers: readonly string[] };
}

/** What the kernel says of one cgroup at one moment. A part is null where its controller is not mounted. */
export interface CgroupReading {
  /** Nanoseconds of CPU used so far: beyond 2^53 after 104 days of one core, hence a bigint. */
  readonly cpu: { readonly usage: bigint } | null;
  readonly memory: MemoryReading | null;
  readonly swap: { readonly usage: number; readonly limit: number } | null;
  readonly pressure: { readonly cpu: PsiStats | null; readonly memory: PsiStats | null; readonly io: PsiStats | null };
}

/** Bytes; `limit` is Infinity without one. */
export interface MemoryReading {
  readonly usage: number;
  readonly limit: number;
  readonly inactiveFile: number;
  readonly activeFile: number;
  readonly rss: number;
  readonly pageFaults: number;
  readonly majorPageFaults: number;
}

/** Undefined when the cgroup does not exist (any more). */
export const readCgroup = (
  layout: CgroupMounts,
  path: string,
  read: ReadFile = readCgroupFile,
): CgroupReading | undefined => {
  const memory = readMemory(layout, path, read);
  const cpu = readCpu(layout, path, read);
  if (!cpu && !memory.memory) return undefined;
  return { cpu, ...memory, pressure: readPressure(layout, path, read) };
};

/** Bytes that the kernel could not drop to make room; undefined when that is not known. */
export const memoryInUse = (layout: CgroupMounts, path: string): number | undefined => {
  const { memory } = readMemory(layout, path, readCgroupFile);
  return memory ? Math.max(memory.usage - memory.inactiveFile - memory.activeFile, 0) : undefined;
};

const readCpu = ({ v1, v2 }: CgroupMounts, path: string, read: ReadFile): CgroupReading['cpu'] => {
  if (v1['cpuacct']) {
    const usage = read(`${v1['cpuacct']}${path}/cpuacct.usage`);
    return usage === undefined ? null : { usage: BigInt(usage.trim()) };
  }
  // Every v2 cgroup accounts CPU time, whether or not it has the controller.
  const stat = v2 && read(`${v2.mountPoint}${path}/cpu.stat`);
  const microseconds = stat && fieldText(stat, 'usage_usec');
  return microseconds ? { usage: BigInt(microseconds) * 1000n } : null;
};

type MemoryPart = Pick<CgroupReading, 'memory' | 'swap'>;
const NO_MEMORY: MemoryPart = { memory: null, swap: null };

const readMemory = ({ v1, v2 }: CgroupMounts, path: string, read: ReadFile): MemoryPart => {
  if (v1['memory']) return readMemoryV1(`${v1['memory']}${path}`, read);
  return v2?.controllers.includes('memory') ? readMemoryV2(`${v2.mountPoint}${path}`, read) : NO_MEMORY;
};

/** The `total_` values are those of the whole subtree, as on v2; limits are the lowest of the ancestors' too. */
const readMemoryV1 = (directory: string, read: ReadFile): MemoryPart => {
  const usage = numberOf(read(`${directory}/memory.usage_in_bytes`));
  const stat = read(`${directory}/memory.stat`);
  if (usage === undefined || stat === undefined) return NO_MEMORY;
  const limit = field(stat, 'hierarchical_memory_limit') ?? Number.POSITIVE_INFINITY;
  const bothLimit = field(stat, 'hierarchical_memsw_limit');
  const swapUsage = field(stat, 'total_swap');
  const memory = {
    usage,
    limit,
    inactiveFile: field(stat, 'total_inactive_file') ?? 0,
    activeFile: field(stat, 'total_active_file') ?? 0,
    rss: field(stat, 'total_rss') ?? 0,
    pageFaults: field(stat, 'total_pgfault') ?? 0,
    majorPageFaults: field(stat, 'total_pgmajfault') ?? 0,
  };
  if (swapUsage === undefined || bothLimit === undefined) return { memory, swap: null };
  return {
    memory,
    swap: {
      usage: swapUsage,
      limit: bothLimit === Number.POSITIVE_INFINITY ? bothLimit : Math.max(bothLimit - limit, 0),
    },
  };
};

const readMemoryV2 = (directory: string, read: ReadFile): MemoryPart => {
  const usage = numberOf(read(`${directory}/memory.current`));
  const stat = read(`${directory}/memory.stat`);
  if (usage === undefined || stat === undefined) return NO_MEMORY;
  const swapUsage = numberOf(read(`${directory}/memory.swap.current`));
  return {
    memory: {
      usage,
      limit: numberOf(read(`${directory}/memory.max`)) ?? Number.POSITIVE_INFINITY,
      inactiveFile: field(stat, 'inactive_file') ?? 0,
      activeFile: field(stat, 'active_file') ?? 0,
      rss: field(stat, 'anon') ?? 0,
      pageFaults: field(stat, 'pgfault') ?? 0,
      majorPageFaults: field(stat, 'pgmajfault') ?? 0,
    },
    swap:
      swapUsage === undefined
        ? null
        : { usage: swapUsage, limit: numberOf(read(`${directory}/memory.swap.max`)) ?? Number.POSITIVE_INFINITY },
  };
};

/** Tasks, that is threads, and how many there may be; null where nothing counts them. */
export const readPids = (
  { v1, v2 }: CgroupMounts,
  path: string,
  read: ReadFile,
): { current: number; max: number } | null => {
  const directory = `${v1['pids'] ?? v2?.mountPoint}${path}`;
  const current = numberOf(read(`${directory}/pids.current`));
  if (current === undefined) return null;
  return { current, max: numberOf(read(`${directory}/pids.max`)) ?? Number.POSITIVE_INFINITY };
};

/** On hybrid hosts too: pressure belongs to every v2 cgroup, whatever its controllers. */
const readPressure = ({ v2 }: CgroupMounts, path: string, read: ReadFile): CgroupReading['pressure'] => {
  const of = (resource: string): PsiStats | null => {
    const text = v2 && read(`${v2.mountPoint}${path}/${resource}.pressure`);
    return text ? parsePressure(text) : null;
  };
  return { cpu: of('cpu'), memory: of('memory'), io: of('io') };
};
