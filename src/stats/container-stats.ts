import type { ContainerMetadata } from '../gen/runtime/v1/ContainerMetadata.js';
import type { ContainerStats } from '../gen/runtime/v1/ContainerStats.js';
import type { FilesystemUsage } from '../gen/runtime/v1/FilesystemUsage.js';
import type { CgroupFiles } from './cgroup-files.js';
import { type CgroupMounts, readCgroup } from './cgroup-stats.js';
import { type Clock, type CpuRates, systemClock } from './cpu-rates.js';
import type { DirectoryUse } from './directory-usage.js';
import { cpuUsage, ioUsage, memoryUsage, swapUsage, uint64 } from './usage.js';

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

export interface ContainerStatsOptions {
  readonly layout: CgroupMounts;
  readonly files: CgroupFiles;
  readonly rates: CpuRates;
  /** Must answer at once; undefined when it is not known yet. */
  readonly writableLayer: (upperDir: string) => DirectoryUse | undefined;
  /** Where the file system of the writable layers is mounted. */
  readonly mountpoint: string;
  readonly clock?: Clock;
}

/** CRI statistics of containers, read from their cgroups when asked. */
export class ContainerStatsReader {
  readonly #options: ContainerStatsOptions;
  readonly #clock: Clock;

  constructor(options: ContainerStatsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** A container whose cgroup is gone has attributes and a writable layer, and nothing else. */
  read(container: MeasuredContainer): ContainerStats {
    const { id, config, cgroupPath, upperDir } = container;
    const { layout, files, rates } = this.#options;
    const timestamp = this.#clock.wall();
    const reading = cgroupPath === '' ? undefined : readCgroup(layout, cgroupPath, files.of(cgroupPath));
    if (!reading) this.forget(container);
    const { metadata, labels, annotations } = config;
    return {
      attributes: { id, metadata, labels, annotations },
      cpu: reading ? cpuUsage(reading, (usage) => rates.nanoCores(id, usage), timestamp) : null,
      memory: reading ? memoryUsage(reading, timestamp) : null,
      swap: reading ? swapUsage(reading, timestamp) : null,
      io: reading ? ioUsage(reading, timestamp) : null,
      writableLayer: upperDir === '' ? null : this.#writableLayer(upperDir),
    };
  }

  /** To be called when a container is removed. */
  forget({ id, cgroupPath }: Pick<MeasuredContainer, 'id' | 'cgroupPath'>): void {
    this.#options.rates.forget(id);
    this.#options.files.forget(cgroupPath);
  }

  #writableLayer(upperDir: string): FilesystemUsage | null {
    const use = this.#options.writableLayer(upperDir);
    if (!use) return null;
    return {
      timestamp: use.countedAt * 1e6,
      fsId: { mountpoint: this.#options.mountpoint },
      usedBytes: uint64(use.bytes),
      inodesUsed: uint64(use.inodes),
    };
  }
}
