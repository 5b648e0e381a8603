import { invalidArgument } from '../base/errors.js';
import type { OciBlockIo, OciLimits } from './spec.js';
import type { HostFacts } from './spec-input.js';

/** What of this host decides which limits there are. */
export type LimitsHost = Pick<HostFacts, 'cgroup' | 'cgroupControllers'>;

/** Ranges go to the kernel as they are and are never expanded here (CVE-2018-20699). */
const CPU_LIST = /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/;
const MAX_CPU_LIST = 4095; // the kernel reads one page

const UNIFIED_KEY = /^[a-z_]+\.[A-Za-z0-9_.]+$/;
const UNIFIED_VALUE = /^[ -~]{1,4095}$/; // printable ASCII
const PAGE_SIZE = /^[1-9]\d{0,3}[KMGTP]B$/; // OCI runtime specification, config-linux.md, "Huge page limits"
const MAX_U64 = 0xffff_ffff_ffff_ffffn;
const MAX_PIDS = 4_194_304; // PID_MAX_LIMIT

/**
 * The one judge of limits, whoever asks for them: what the kernel would refuse with a bare EINVAL, take for something else, or not know on
 * this host.
 * @throws INVALID_ARGUMENT
 */
export function checkResources(limits: OciLimits, host: LimitsHost): void {
  checkMemory(limits.memory);
  checkCpu(limits.cpu, host);
  orUnlimited(limits.pids?.limit, 1, MAX_PIDS, 'pids limit');
  checkBlockIo(limits.blockIO);
  for (const { pageSize, limit } of limits.hugepageLimits ?? []) checkHugepages(pageSize, limit);
  for (const [key, value] of Object.entries(limits.unified ?? {})) checkUnified(key, value, host);
}

function checkMemory({ limit, reservation, swap, swappiness }: NonNullable<OciLimits['memory']> = {}): void {
  amount(limit, 'memory_limit_in_bytes');
  amount(reservation, 'memory reservation');
  amount(swap, 'memory_swap_limit_in_bytes');
  range(swappiness, 0, 100, 'memory swappiness');
  if (!swap || swap < 0) return;
  if (!limit) throw invalidArgument(`swap limit without a memory limit: memory_swap_limit_in_bytes is ${swap}`);
  if (limit < 0 || swap < limit)
    throw invalidArgument(
      `swap limit below the memory limit: memory_swap_limit_in_bytes is ${swap}, of memory and swap together; memory_limit_in_bytes is ${limit}`,
    );
}

function checkCpu(cpu: NonNullable<OciLimits['cpu']> = {}, host: LimitsHost): void {
  range(cpu.shares, 2, 262_144, 'cpu_shares');
  orUnlimited(cpu.quota, 1000, 2 ** 44 - 1, 'cpu_quota (microseconds)');
  range(cpu.period, 1000, 1_000_000, 'cpu_period (microseconds)');
  amount(cpu.burst, 'cpu burst');
  range(cpu.idle, 0, 1, 'cpu idle');
  cpuList(cpu.cpus, 'cpuset_cpus');
  cpuList(cpu.mems, 'cpuset_mems');
  amount(cpu.realtimePeriod, 'cpu realtime period');
  amount(cpu.realtimeRuntime, 'cpu realtime runtime');
  if ((cpu.realtimePeriod || cpu.realtimeRuntime) && host.cgroup === 'v2')
    throw invalidArgument('cgroup v2 host: realtime runtime and period of the CPU are limits of cgroup v1 only');
}

/** blkio.weight and io.bfq.weight of the kernel. */
const [MIN_WEIGHT, MAX_WEIGHT] = [10, 1000];

function checkBlockIo(blockIo: OciBlockIo = {}): void {
  const { weight, weightDevice = [], ...throttles } = blockIo;
  range(weight, MIN_WEIGHT, MAX_WEIGHT, 'block I/O weight');
  for (const device of weightDevice)
    range(device.weight, MIN_WEIGHT, MAX_WEIGHT, `block I/O weight of ${numbers(device)}`);
  for (const [name, devices = []] of Object.entries(throttles))
    for (const device of devices) amount(device.rate, `${name} ${numbers(device)}`);
}

const numbers = ({ major, minor }: { major: number; minor: number }): string => {
  range(major, 0, 0xfff, 'major number of a block device');
  range(minor, 0, 0xfffff, 'minor number of a block device');
  return `${major}:${minor}`;
};

function checkHugepages(pageSize: string, limit: string): void {
  if (!PAGE_SIZE.test(pageSize))
    throw invalidArgument(`not a huge page size: ${quoted(pageSize)}; write for example "2MB"`);
  if (!/^\d{1,20}$/.test(limit) || BigInt(limit) > MAX_U64)
    throw invalidArgument(`not an unsigned 64-bit number: limit ${quoted(limit)} of huge pages of ${pageSize}`);
}

function checkUnified(key: string, value: string, { cgroup, cgroupControllers }: LimitsHost): void {
  const [controller = ''] = key.split('.');
  // cgroup.procs, cgroup.kill and their like act on processes, of others too; they are no limits.
  if (!UNIFIED_KEY.test(key) || key.includes('..') || controller === 'cgroup')
    throw invalidArgument(
      `not a limit of a cgroup: unified key ${quoted(key)}; name a file of a controller of cgroup v2`,
    );
  if (!UNIFIED_VALUE.test(value))
    throw invalidArgument(`unexpected characters: value ${quoted(value)} of unified key ${key}`);
  if (key === 'pids.max')
    throw invalidArgument(
      `not a number of processes: unified key pids.max is ${quoted(value)}; write one above 0 or "max"`,
    );
  if (cgroupControllers.includes(controller)) return;
  if (cgroup === 'none') throw invalidArgument(`no cgroups on this rootless node: unified key "${key}"`);
  throw invalidArgument(
    cgroup === 'v2'
      ? `controller "${controller}" is not available: unified key "${key}"`
      : `cgroup v1 host: unified key "${key}" needs the controller "${controller}" on cgroup v2; only pids.max works here`,
  );
}

function cpuList(list: string | undefined, what: string): void {
  if (list && (list.length > MAX_CPU_LIST || !CPU_LIST.test(list)))
    throw invalidArgument(`not a list of numbers: ${what} ${quoted(list)}; write for example "0-3,7"`);
}

/** None, or a number within the kernel's bounds. */
function range(value: number | undefined, min: number, max: number, what: string): void {
  if (value === undefined || value === 0) return;
  if (!Number.isSafeInteger(value) || value < min || value > max)
    throw invalidArgument(`not a whole number from ${min} to ${max}: ${what} is ${value}`);
}

const orUnlimited = (value: number | undefined, min: number, max: number, what: string): void => {
  if (value !== -1) range(value, min, max, what);
};

const amount = (value: number | undefined, what: string): void => orUnlimited(value, 0, Number.MAX_SAFE_INTEGER, what);

const quoted = (text: string): string => JSON.stringify(text.slice(0, 64));
