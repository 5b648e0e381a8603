import { inSlices, type Slices } from '../base/in-slices.js';
import type { ContainerMetrics } from '../gen/runtime/v1/ContainerMetrics.js';
import type { Metric } from '../gen/runtime/v1/Metric.js';
import type { MetricType } from '../gen/runtime/v1/MetricType.js';
import type { PodSandboxMetrics } from '../gen/runtime/v1/PodSandboxMetrics.js';
import { blockSamples } from './block-metrics.js';
import type { CgroupFiles, ReadFile } from './cgroup-files.js';
import { cgroupSamples, limitSamples } from './cgroup-metrics.js';
import { type CgroupMounts, readCgroup } from './cgroup-stats.js';
import type { MeasuredContainer } from './container-stats.js';
import type { DirectoryUsage } from './directory-usage.js';
import type { Filesystem } from './filesystem.js';
import { hugetlbSamples } from './hugetlb-metrics.js';
import { METRICS, type Sample } from './metric-descriptors.js';
import { readInterfaces } from './net-dev.js';
import { processSamples } from './process-metrics.js';
import type { MeasuredSandbox } from './sandbox-stats.js';

export interface TimedContainer extends MeasuredContainer {
  readonly image: { readonly ref: string };
  readonly startedAt: string;
  readonly createdAt: string;
}

export interface TimedSandbox extends MeasuredSandbox {
  readonly createdAt: string;
}

export interface PodMetricsOptions {
  readonly layout: CgroupMounts;
  readonly files: CgroupFiles;
  readonly filesystem: Filesystem;
  readonly writable: Pick<DirectoryUsage, 'get' | 'known'>;
}

/** Counting the writable layers of a node full of new containers takes less, but for one with very many files. */
const FIRST_COUNT_MS = 1000;

/** The kubelet's `/metrics/cadvisor` without cAdvisor. Everything is gathered live, hence every timestamp is 0 (api.proto, Metric). */
export class PodMetricsReader {
  constructor(private readonly options: PodMetricsOptions) {}

  /** To be awaited before a reading: gives what is counted in the background a moment, where it was never counted. */
  prepare(containers: readonly TimedContainer[]): Promise<void> {
    return this.options.writable.known(
      containers.map(({ upperDir }) => upperDir),
      FIRST_COUNT_MS,
    );
  }

  async read(sandbox: TimedSandbox, containers: readonly TimedContainer[], slices: Slices): Promise<PodSandboxMetrics> {
    const { metadata } = sandbox.config;
    const pod = [metadata?.namespace ?? '', metadata?.name ?? ''];
    const { cgroupParent } = sandbox;
    const samples = [
      ...this.#cgroup(cgroupParent, this.#reader(cgroupParent)),
      ...networkSamples(sandbox),
      ...times(sandbox.createdAt),
    ];
    return {
      podSandboxId: sandbox.id,
      metrics: asMetrics(samples, ['', sandbox.cgroupParent, '', '', ...pod]),
      containerMetrics: await inSlices(containers, (container) => this.#container(container, pod), slices),
    };
  }

  #container(container: TimedContainer, pod: string[]): ContainerMetrics {
    const { id, cgroupPath, config, image, startedAt, createdAt } = container;
    const { layout } = this.options;
    const read = this.#reader(cgroupPath);
    const samples = [
      ...this.#cgroup(cgroupPath, read),
      ...limitSamples(layout, cgroupPath, read),
      ...blockSamples(layout, cgroupPath, read),
      ...hugetlbSamples(layout, cgroupPath, read),
      ...processSamples(layout, cgroupPath),
      ...this.#filesystem(container),
      ...times(startedAt === '0' ? createdAt : startedAt),
    ];
    return {
      containerId: id,
      metrics: asMetrics(samples, [config.metadata?.name ?? '', cgroupPath, image.ref, id, ...pod]),
    };
  }

  /** Statistics and counts are in the same files: each is read once. */
  #reader(path: string): ReadFile {
    const read = this.options.files.of(path);
    const known = new Map<string, string | undefined>();
    return (file) => {
      if (!known.has(file)) known.set(file, read(file));
      return known.get(file);
    };
  }

  #cgroup(path: string, read: ReadFile): Sample[] {
    const { layout } = this.options;
    const reading = readCgroup(layout, path, read);
    return reading ? cgroupSamples(layout, path, reading, read) : [];
  }

  #filesystem({ upperDir }: TimedContainer): Sample[] {
    const { filesystem, writable } = this.options;
    const use = writable.get(upperDir);
    const usage: Sample[] = use
      ? [{ name: 'container_fs_usage_bytes', value: use.bytes, labels: [filesystem.device] }]
      : [];
    return [...usage, ...filesystem.samples()];
  }
}

const networkSamples = ({ supervisorPid, netnsPath }: TimedSandbox): Sample[] =>
  (readInterfaces(supervisorPid, netnsPath) ?? []).flatMap(({ name, rx, tx }): Sample[] => {
    const labels = [name];
    return [
      { name: 'container_network_receive_bytes_total', value: rx.bytes, labels },
      { name: 'container_network_receive_packets_total', value: rx.packets, labels },
      { name: 'container_network_receive_errors_total', value: rx.errors, labels },
      { name: 'container_network_receive_packets_dropped_total', value: rx.dropped, labels },
      { name: 'container_network_transmit_bytes_total', value: tx.bytes, labels },
      { name: 'container_network_transmit_packets_total', value: tx.packets, labels },
      { name: 'container_network_transmit_errors_total', value: tx.errors, labels },
      { name: 'container_network_transmit_packets_dropped_total', value: tx.dropped, labels },
    ];
  });

/** `since` in nanoseconds, in decimal. */
const times = (since: string): Sample[] => [
  { name: 'container_start_time_seconds', value: BigInt(since) / 1_000_000_000n },
  { name: 'container_last_seen', value: Math.floor(Date.now() / 1000) },
];

/** As numbers: see src/grpc/encoding.ts. */
const TYPES = { COUNTER: 0, GAUGE: 1 } as const satisfies Record<keyof typeof MetricType, number>;

const asMetrics = (samples: readonly Sample[], base: string[]): Metric[] =>
  samples.map(({ name, value, labels }) => ({
    name,
    metricType: TYPES[METRICS[name].type],
    labelValues: labels ? [...base, ...labels] : base,
    value: { value: typeof value === 'bigint' ? String(value) : value },
  }));
