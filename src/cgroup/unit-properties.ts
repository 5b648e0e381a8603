import type { UnitProperty } from '../systemd/systemd.js';
import { invalidArgument } from '../base/errors.js';
import type { OciLimits } from '../oci/spec.js';
import { DEFAULT_PERIOD } from './limits.js';
import { cpuWeight, ioWeight, swapMax } from './v2.js';

/** What systemd calls "infinity". */
const UNLIMITED = 0xffff_ffff_ffff_ffffn;
/** Of a second: systemd keeps a quota in whole percents across a daemon-reload. */
const PERCENT_US = 10_000n;
/** Bits in a list of CPUs or memory nodes: far above what a kernel can be built for (8192). */
const MAX_BIT = 65_535;

type Value = [signature: string, value: unknown];

const property = (name: string, signature: string, value: unknown): UnitProperty => [name, { signature, value }];

/**
 * The scope of one container, as runc and crun make theirs. Delegate: systemd leaves what is below to the container. Device rules are
 * not among the properties: they are a program of ours, which a daemon-reload does not touch.
 */
export const scopeProperties = (
  containerId: string,
  slice: string,
  pid: number,
  limits: readonly UnitProperty[],
): UnitProperty[] => [
  property('Description', 's', `jangada container ${containerId}`),
  property('Slice', 's', slice),
  property('PIDs', 'au', [pid]),
  property('Delegate', 'b', true),
  property('DefaultDependencies', 'b', false),
  property('CollectMode', 's', 'inactive-or-failed'),
  ...['CPUAccounting', 'MemoryAccounting', 'IOAccounting', 'TasksAccounting'].map((name) => property(name, 'b', true)),
  ...limits,
];

/**
 * Limits as unit properties, so that systemd keeps them when it writes a unit's files anew. It does not know every file: all are
 * written to the cgroup as well, and exactly, where systemd rounds. Keys of `unified` win, as they do in the cgroup.
 */
export const limitProperties = ({ cpu = {}, memory = {}, pids, blockIO, unified = {} }: OciLimits): UnitProperty[] => {
  const values = new Map<string, Value>();
  const put = (name: string, value: Value | undefined) => {
    if (value) values.set(name, value);
  };
  put('CPUWeight', cpu.shares ? ['t', BigInt(cpuWeight(cpu.shares))] : undefined);
  putQuota(put, cpu);
  put('AllowedCPUs', cpu.cpus ? ['ay', bitMask(cpu.cpus)] : undefined);
  put('AllowedMemoryNodes', cpu.mems ? ['ay', bitMask(cpu.mems)] : undefined);
  put('MemoryMax', amount(memory.limit));
  put('MemorySwapMax', text(swapMax(memory)));
  put('MemoryLow', amount(memory.reservation));
  put('TasksMax', amount(pids?.limit));
  put('IOWeight', blockIO?.weight ? ['t', BigInt(ioWeight(blockIO.weight))] : undefined);
  for (const [key, value] of Object.entries(unified)) putUnified(put, key, value.trim());
  return [...values].map(([name, [signature, value]]) => property(name, signature, value));
};

type Put = (name: string, value: Value | undefined) => void;

const putQuota = (put: Put, { quota = 0, period = 0 }: NonNullable<OciLimits['cpu']>): void => {
  if (period > 0) put('CPUQuotaPeriodUSec', ['t', BigInt(period)]);
  if (quota < 0) put('CPUQuotaPerSecUSec', ['t', UNLIMITED]);
  if (quota <= 0) return;
  const perSecond = (BigInt(quota) * 1_000_000n) / BigInt(period || DEFAULT_PERIOD);
  // Up: a container must not be held shorter after a reload than before.
  put('CPUQuotaPerSecUSec', ['t', ((perSecond + PERCENT_US - 1n) / PERCENT_US) * PERCENT_US]);
};

const BYTES: Readonly<Record<string, string>> = {
  'memory.min': 'MemoryMin',
  'memory.low': 'MemoryLow',
  'memory.high': 'MemoryHigh',
  'memory.max': 'MemoryMax',
  'memory.swap.max': 'MemorySwapMax',
  'pids.max': 'TasksMax',
  'cpu.weight': 'CPUWeight',
};

/** A value that systemd has no word for is left to the cgroup file, where the kernel judges it. */
const putUnified = (put: Put, key: string, value: string): void => {
  const named = BYTES[key];
  if (named) put(named, text(value));
  if (key === 'cpuset.cpus') put('AllowedCPUs', ['ay', bitMask(value)]);
  if (key === 'cpuset.mems') put('AllowedMemoryNodes', ['ay', bitMask(value)]);
  const weight = /^(?:default )?(\d+)$/.exec(value)?.[1];
  if (key === 'io.weight' && weight) put('IOWeight', ['t', BigInt(weight)]);
  const [, quota, period] = /^(max|\d+)(?: (\d+))?$/.exec(value) ?? [];
  if (key === 'cpu.max' && quota)
    putQuota(put, { quota: quota === 'max' ? -1 : Number(quota), period: Number(period ?? DEFAULT_PERIOD) });
};

const amount = (limit: number | undefined): Value | undefined =>
  limit ? ['t', limit < 0 ? UNLIMITED : BigInt(limit)] : undefined;

const text = (value: string | undefined): Value | undefined => {
  if (value === 'max') return ['t', UNLIMITED];
  return value !== undefined && /^\d{1,19}$/.test(value) ? ['t', BigInt(value)] : undefined;
};

/** `0-2,7` as bytes, the lowest CPU in the first byte's lowest bit. */
const bitMask = (list: string): Uint8Array => {
  const ranges = list.split(',').map((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    if (!/^\d+(-\d+)?$/.test(range) || last < first || last > MAX_BIT)
      throw invalidArgument(
        `not a list of numbers up to ${MAX_BIT}: "${list.slice(0, 64)}"; write for example "0-2,7"`,
      );
    return [first, last] as const;
  });
  const bytes = new Uint8Array(Math.floor(Math.max(...ranges.map(([, last]) => last)) / 8) + 1);
  for (const [first, last] of ranges)
    for (let bit = first; bit <= last; bit++) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
  return bytes;
};
