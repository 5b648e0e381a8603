import { field, numberOf } from './cgroup-file.js';
import type { ReadFile } from './cgroup-files.js';
import { type CgroupMounts, type CgroupReading, readPids } from './cgroup-stats.js';
import type { MetricName, Sample } from './metric-descriptors.js';
import { workingSetOf } from './usage.js';

/** What the kernel counts of a cgroup besides its statistics. Where a file or a field is missing there is no sample. */
export const cgroupSamples = (layout: CgroupMounts, path: string, reading: CgroupReading, read: ReadFile): Sample[] => {
  const { cpu, memory, swap } = reading;
  return [
    ...(cpu
      ? [{ name: 'container_cpu_usage_seconds_total', value: seconds(cpu.usage), labels: ['total'] } as const]
      : []),
    ...known({
      ...cpuTimes(layout, path, read),
      ...(memory && {
        container_memory_rss: memory.rss,
        container_memory_swap: swap?.usage ?? 0,
        container_memory_usage_bytes: memory.usage,
        container_memory_working_set_bytes: workingSetOf(memory),
      }),
      ...memoryCounts(layout, path, memory?.usage, read),
      ...pressureTimes(reading.pressure),
    }),
    ...faults(reading),
  ];
};

/** What was asked for, as the kernel has it. No limit is 0, as cAdvisor says it. */
export const limitSamples = (layout: CgroupMounts, path: string, read: ReadFile): Sample[] => {
  const pids = readPids(layout, path, read);
  return known({
    ...cpuLimits(layout, path, read),
    ...memoryLimits(layout, path, read),
    container_threads: pids?.current,
    container_threads_max: pids ? limit(pids.max) : undefined,
  });
};

type Values = { readonly [name in MetricName]?: number | bigint | undefined };

const known = (values: Values): Sample[] =>
  Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [{ name: name as MetricName, value }]));

const seconds = (nanoseconds: bigint): bigint => nanoseconds / 1_000_000_000n;
const secondsOf = (amount: number | undefined, aSecond: number): number | undefined =>
  amount === undefined ? undefined : Math.floor(amount / aSecond);
const limit = (value: number | undefined): number | undefined => (value === Number.POSITIVE_INFINITY ? 0 : value);

const cpuTimes = ({ v1, v2 }: CgroupMounts, path: string, read: ReadFile): Values => {
  if (v1['cpuacct'] || v1['cpu']) {
    const stat = read(`${v1['cpu']}${path}/cpu.stat`) ?? '';
    return {
      container_cpu_user_seconds_total: secondsOf(numberOf(read(`${v1['cpuacct']}${path}/cpuacct.usage_user`)), 1e9),
      container_cpu_system_seconds_total: secondsOf(numberOf(read(`${v1['cpuacct']}${path}/cpuacct.usage_sys`)), 1e9),
      container_cpu_cfs_periods_total: field(stat, 'nr_periods'),
      container_cpu_cfs_throttled_periods_total: field(stat, 'nr_throttled'),
      container_cpu_cfs_throttled_seconds_total: secondsOf(field(stat, 'throttled_time'), 1e9),
    };
  }
  const stat = (v2 && read(`${v2.mountPoint}${path}/cpu.stat`)) ?? '';
  return {
    container_cpu_user_seconds_total: secondsOf(field(stat, 'user_usec'), 1e6),
    container_cpu_system_seconds_total: secondsOf(field(stat, 'system_usec'), 1e6),
    container_cpu_cfs_periods_total: field(stat, 'nr_periods'),
    container_cpu_cfs_throttled_periods_total: field(stat, 'nr_throttled'),
    container_cpu_cfs_throttled_seconds_total: secondsOf(field(stat, 'throttled_usec'), 1e6),
  };
};

const memoryCounts = ({ v1, v2 }: CgroupMounts, path: string, usage: number | undefined, read: ReadFile): Values => {
  if (v1['memory']) {
    const directory = `${v1['memory']}${path}`;
    const stat = read(`${directory}/memory.stat`) ?? '';
    return {
      container_memory_cache: field(stat, 'total_cache'),
      container_memory_mapped_file: field(stat, 'total_mapped_file'),
      container_memory_failcnt: numberOf(read(`${directory}/memory.failcnt`)),
      container_memory_max_usage_bytes: numberOf(read(`${directory}/memory.max_usage_in_bytes`)),
      container_memory_kernel_usage: numberOf(read(`${directory}/memory.kmem.usage_in_bytes`)),
      container_oom_events_total: field(read(`${directory}/memory.oom_control`) ?? '', 'oom_kill'),
    };
  }
  if (!v2?.controllers.includes('memory')) return {};
  const directory = `${v2.mountPoint}${path}`;
  const stat = read(`${directory}/memory.stat`) ?? '';
  const events = read(`${directory}/memory.events`) ?? '';
  return {
    container_memory_cache: field(stat, 'file'),
    container_memory_mapped_file: field(stat, 'file_mapped'),
    container_memory_failcnt: field(events, 'max'),
    // memory.peak is of 5.19, the sum in memory.stat of 5.18.
    container_memory_max_usage_bytes: numberOf(read(`${directory}/memory.peak`)) ?? usage,
    container_memory_kernel_usage:
      field(stat, 'kernel') ?? (field(stat, 'kernel_stack') ?? 0) + (field(stat, 'slab') ?? 0),
    container_oom_events_total: field(events, 'oom_kill'),
  };
};

/** The counters of the kernel are those of the subtree; a container has nothing below it that is not its own. */
const faults = ({ memory }: CgroupReading): Sample[] => {
  if (!memory) return [];
  const of = (type: string, value: number) =>
    ['container', 'hierarchy'].map(
      (scope): Sample => ({ name: 'container_memory_failures_total', value, labels: [type, scope] }),
    );
  return [...of('pgfault', memory.pageFaults), ...of('pgmajfault', memory.majorPageFaults)];
};

const pressureTimes = ({ cpu, io, memory }: CgroupReading['pressure']): Values => {
  const time = (data: { Total?: unknown } | null | undefined) =>
    data ? seconds(BigInt(String(data.Total))) : undefined;
  return {
    container_pressure_cpu_stalled_seconds_total: time(cpu?.Full),
    container_pressure_cpu_waiting_seconds_total: time(cpu?.Some),
    container_pressure_io_stalled_seconds_total: time(io?.Full),
    container_pressure_io_waiting_seconds_total: time(io?.Some),
    container_pressure_memory_stalled_seconds_total: time(memory?.Full),
    container_pressure_memory_waiting_seconds_total: time(memory?.Some),
  };
};

const cpuLimits = ({ v1, v2 }: CgroupMounts, path: string, read: ReadFile): Values => {
  if (v1['cpu']) {
    const directory = `${v1['cpu']}${path}`;
    const quota = numberOf(read(`${directory}/cpu.cfs_quota_us`));
    return {
      container_spec_cpu_shares: numberOf(read(`${directory}/cpu.shares`)),
      container_spec_cpu_period: numberOf(read(`${directory}/cpu.cfs_period_us`)),
      container_spec_cpu_quota: quota !== undefined && quota > 0 ? quota : undefined,
    };
  }
  const max = v2 && read(`${v2.mountPoint}${path}/cpu.max`);
  if (!max) return {};
  const [quota = 'max', period = ''] = max.trim().split(' ');
  const weight = numberOf(read(`${v2.mountPoint}${path}/cpu.weight`));
  return {
    // The inverse of how the field makes weights of shares (runc, ConvertCPUSharesToCgroupV2Value): 1…10000 to 2…262144.
    container_spec_cpu_shares: weight === undefined ? undefined : 2 + Math.round(((weight - 1) * 262142) / 9999),
    container_spec_cpu_period: Number(period),
    container_spec_cpu_quota: quota === 'max' ? undefined : Number(quota),
  };
};

const memoryLimits = ({ v1, v2 }: CgroupMounts, path: string, read: ReadFile): Values => {
  const [directory, files] = v1['memory']
    ? [`${v1['memory']}${path}`, ['memory.limit_in_bytes', 'memory.soft_limit_in_bytes', 'memory.memsw.limit_in_bytes']]
    : [`${v2?.mountPoint}${path}`, ['memory.max', 'memory.low', 'memory.swap.max']];
  const [most, reserved, swap] = files.map((file) => limit(numberOf(read(`${directory}/${file}`))));
  return {
    container_spec_memory_limit_bytes: most,
    container_spec_memory_reservation_limit_bytes: reserved,
    // Kernels without swap have no such file: nothing of it is allowed.
    container_spec_memory_swap_limit_bytes: swap ?? (most === undefined ? undefined : 0),
  };
};
