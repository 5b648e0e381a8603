import type { ContainerStats } from '../gen/runtime/v1/ContainerStats.js';
import type { NetworkInterfaceUsage } from '../gen/runtime/v1/NetworkInterfaceUsage.js';
import type { NetworkUsage } from '../gen/runtime/v1/NetworkUsage.js';
import type { PodSandboxMetadata } from '../gen/runtime/v1/PodSandboxMetadata.js';
import type { PodSandboxStats } from '../gen/runtime/v1/PodSandboxStats.js';
import type { CgroupFiles } from './cgroup-files.js';
import { type CgroupMounts, readCgroup, readPids } from './cgroup-stats.js';
import { type Clock, type CpuRates, systemClock } from './cpu-rates.js';
import { type InterfaceCounters, readInterfaces } from './net-dev.js';
import { cpuUsage, ioUsage, memoryUsage, uint64 } from './usage.js';

/** What statistics need to know of a sandbox; the store's record has more. */
export interface MeasuredSandbox {
  readonly id: string;
  readonly config: {
    readonly metadata: PodSandboxMetadata | null;
    readonly labels: Record<string, string>;
    readonly annotations: Record<string, string>;
  };
  /** The pod's cgroup. */
  readonly cgroupParent: string;
  readonly netnsPath: string;
  /** Lives in the pod's network namespace; 0 when there is none any more. */
  readonly supervisorPid: number;
}

export interface SandboxStatsOptions {
  readonly layout: CgroupMounts;
  readonly files: CgroupFiles;
  readonly rates: CpuRates;
  readonly clock?: Clock;
}

/** What CNI plugins are told to name the pod's interface. */
const DEFAULT_INTERFACE = 'eth0';

/** CRI statistics of pods: of their cgroups, which hold all their containers, and of their network. */
export class SandboxStatsReader {
  readonly #options: SandboxStatsOptions;
  readonly #clock: Clock;

  constructor(options: SandboxStatsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** A pod that has no cgroup (any more) has attributes, and a network as long as it has one. */
  read(sandbox: MeasuredSandbox, containers: ContainerStats[]): PodSandboxStats {
    const { id, config, cgroupParent, netnsPath, supervisorPid } = sandbox;
    const { layout, files, rates } = this.#options;
    const timestamp = this.#clock.wall();
    const read = files.of(cgroupParent);
    const reading = readCgroup(layout, cgroupParent, read);
    if (!reading) this.forget(sandbox);
    const pids = reading && readPids(layout, cgroupParent, read);
    const { metadata, labels, annotations } = config;
    return {
      attributes: { id, metadata, labels, annotations },
      linux: {
        cpu: reading ? cpuUsage(reading, (usage) => rates.nanoCores(id, usage), timestamp) : null,
        memory: reading ? memoryUsage(reading, timestamp) : null,
        io: reading ? ioUsage(reading, timestamp) : null,
        network: networkUsage(readInterfaces(supervisorPid, netnsPath), timestamp),
        // Tasks of the cgroup, as peers count them: the processes themselves would have to be listed.
        process: pids ? { timestamp, processCount: uint64(pids.current) } : null,
        containers,
      },
    };
  }

  /** To be called when a sandbox is removed. */
  forget({ id, cgroupParent }: Pick<MeasuredSandbox, 'id' | 'cgroupParent'>): void {
    this.#options.rates.forget(id);
    this.#options.files.forget(cgroupParent);
  }
}

const networkUsage = (interfaces: InterfaceCounters[] | undefined, timestamp: number): NetworkUsage | null => {
  if (!interfaces) return null;
  const preferred = interfaces.find(({ name }) => name === DEFAULT_INTERFACE);
  return {
    timestamp,
    defaultInterface: preferred ? interfaceUsage(preferred) : null,
    interfaces: interfaces.filter((other) => other !== preferred).map(interfaceUsage),
  };
};

const interfaceUsage = ({ name, rx, tx }: InterfaceCounters): NetworkInterfaceUsage => ({
  name,
  rxBytes: uint64(rx.bytes),
  rxErrors: uint64(rx.errors),
  txBytes: uint64(tx.bytes),
  txErrors: uint64(tx.errors),
});
