import type { ContainerMetadata } from '../gen/runtime/v1/ContainerMetadata.js';
import type { ContainerStats } from '../gen/runtime/v1/ContainerStats.js';
import type { CpuUsage } from '../gen/runtime/v1/CpuUsage.js';
import type { FilesystemUsage } from '../gen/runtime/v1/FilesystemUsage.js';
import type { MemoryUsage } from '../gen/runtime/v1/MemoryUsage.js';
import { type CgroupMounts, type CgroupReading, readCgroup } from './cgroup-stats.js';
import type { DirectoryUse } from './directory-usage.js';

/** What statistics need to know of a container; the store's record has more. */
export interface MeasuredContainer {
  readonly id: string;
  readonly config: {
    readonly metadata: ContainerMetadata | null;
    readonly labels: Record<string, string>;
    readonly annotations: Record<string, string>;
  };
  readonly cgroupPath: string;
  readonly upperDir: string;
}

export interface Clock {
  /** Nanoseconds since the epoch. */
  wall(): bigint;
  /** Nanoseconds from any fixed point, never going back. */
  monotonic(): bigint;
}

export interface ContainerStatsOptions {
  readonly layout: CgroupMounts;
  /** Must answer at once; undefined when it is not known yet. */
  readonly writableLayer: (upperDir: string) => DirectoryUse | undefined;
  /** Where the file system of the writable layers is mounted. */
  readonly mountpoint: string;
  readonly clock?: Clock;
}

interface CpuSample {
  readonly at: bigint;
  readonly usage: bigint;
  readonly nanoCores: bigint | undefined;
}

/** Below this, the scheduler's ticks are most of what a difference shows. */
const MIN_SAMPLE = 1_000_000_000n;
const SLICE_MS = 5;

const systemClock: Clock = { wall: () => BigInt(Date.now()) * 1_000_000n, monotonic: () => process.hrtime.bigint() };

/** CRI statistics of containers, read from their cgroups when asked; only the CPU rate remembers an earlier reading. */
export class ContainerStatsReader {
  readonly #options: ContainerStatsOptions;
  readonly #clock: Clock;
  readonly #cpu = new Map<string, CpuSample>();

  constructor(options: ContainerStatsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** A container whose cgroup is gone has attributes and a writable layer, and nothing else. */
  read(container: MeasuredContainer): ContainerStats {
    const { id, config, cgroupPath, upperDir } = container;
    const timestamp = `${this.#clock.wall()}`;
    const reading = cgroupPath === '' ? undefined : readCgroup(this.#options.layout, cgroupPath);
    if (!reading) this.#cpu.delete(id);
    const { metadata, labels, annotations } = config;
    return {
      attributes: { id, metadata, labels, annotations },
      cpu: reading?.cpu ? this.#cpuUsage(id, reading.cpu.usage, reading, timestamp) : null,
      memory: reading?.memory ? memoryUsage(reading, timestamp) : null,
      swap: reading?.swap ? swapUsage(reading.swap, timestamp) : null,
      io: reading?.pressure.io ? { timestamp, psi: reading.pressure.io } : null,
      writableLayer: upperDir === '' ? null : this.#writableLayer(upperDir),
    };
  }

  /** In slices, so that a node full of containers does not hold up the answers to others. */
  async readAll(containers: readonly MeasuredContainer[]): Promise<ContainerStats[]> {
    const stats: ContainerStats[] = [];
    let sliceEnd = performance.now() + SLICE_MS;
    for (const container of containers) {
      if (performance.now() > sliceEnd) {
        await new Promise((resolve) => setImmediate(resolve));
        sliceEnd = performance.now() + SLICE_MS;
      }
      stats.push(this.read(container));
    }
    return stats;
  }

  /** To be called when a container is removed. */
  forget(id: string): void {
    this.#cpu.delete(id);
  }

  #cpuUsage(id: string, usage: bigint, reading: CgroupReading, timestamp: string): CpuUsage {
    const nanoCores = this.#nanoCores(id, usage);
    return {
      timestamp,
      usageCoreNanoSeconds: uint64(usage),
      usageNanoCores: nanoCores === undefined ? null : uint64(nanoCores),
      psi: reading.pressure.cpu,
    };
  }

  /** The rate since the last sample that is at least a second old; unknown at the first reading. */
  #nanoCores(id: string, usage: bigint): bigint | undefined {
    const at = this.#clock.monotonic();
    const last = this.#cpu.get(id);
    if (last && last.usage <= usage && at - last.at < MIN_SAMPLE) return last.nanoCores;
    const nanoCores =
      last && last.usage <= usage ? ((usage - last.usage) * 1_000_000_000n) / (at - last.at) : undefined;
    this.#cpu.set(id, { at, usage, nanoCores });
    return nanoCores;
  }

  #writableLayer(upperDir: string): FilesystemUsage | null {
    const use = this.#options.writableLayer(upperDir);
    if (!use) return null;
    return {
      timestamp: `${BigInt(use.countedAt) * 1_000_000n}`,
      fsId: { mountpoint: this.#options.mountpoint },
      usedBytes: uint64(use.bytes),
      inodesUsed: uint64(use.inodes),
    };
  }
}

const memoryUsage = ({ memory, pressure }: CgroupReading, timestamp: string): MemoryUsage | null => {
  if (!memory) return null;
  const workingSet = Math.max(memory.usage - memory.inactiveFile, 0);
  return {
    timestamp,
    workingSetBytes: uint64(workingSet),
    // "the memory limit - workingSetBytes" (api.proto, MemoryUsage): without a limit there is no such number.
    availableBytes: Number.isFinite(memory.limit) ? uint64(Math.max(memory.limit - workingSet, 0)) : null,
    usageBytes: uint64(memory.usage),
    rssBytes: uint64(memory.rss),
    pageFaults: uint64(memory.pageFaults),
    majorPageFaults: uint64(memory.majorPageFaults),
    psi: pressure.memory,
  };
};

const swapUsage = ({ usage, limit }: { usage: number; limit: number }, timestamp: string) => ({
  timestamp,
  swapUsageBytes: uint64(usage),
  swapAvailableBytes: Number.isFinite(limit) ? uint64(Math.max(limit - usage, 0)) : null,
});

const uint64 = (value: number | bigint) => ({ value: String(value) });
