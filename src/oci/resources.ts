import { invalidArgument } from '../base/errors.js';
import type { LinuxContainerResources__Output } from '../gen/runtime/v1/LinuxContainerResources.js';
import type { OciResources } from './spec.js';

/** Ranges go to the kernel as they are and are never expanded here (CVE-2018-20699). */
const CPU_LIST = /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/;
const MAX_CPU_LIST = 4095; // the kernel reads one page

const UNIFIED_KEY = /^[a-z_]+\.[A-Za-z0-9_.]+$/;
const UNIFIED_VALUE = /^[ -~]{1,4095}$/; // printable ASCII
const PAGE_SIZE = /^\d{1,4}[KMG]B$/;

/** CRI resources as OCI ones, without the device rules; 0 and "" mean "not specified" (api.proto, LinuxContainerResources). */
export function linuxResources(
  request: LinuxContainerResources__Output | null | undefined,
  pidsLimit = 0,
): Omit<OciResources, 'devices'> {
  const { 'pids.max': pidsMax, ...unified } = request?.unified ?? {};
  checkUnified(unified);
  const limit = pidsMax === undefined ? pidsLimit : parsePidsMax(pidsMax);
  const resources: Omit<OciResources, 'devices'> = {};
  if (limit !== 0) resources.pids = { limit };
  if (Object.keys(unified).length > 0) resources.unified = unified;
  if (!request) return resources;
  const memory = memoryLimits(request);
  const cpu = cpuLimits(request);
  if (Object.keys(memory).length > 0) resources.memory = memory;
  if (Object.keys(cpu).length > 0) resources.cpu = cpu;
  if (request.hugepageLimits.length > 0) resources.hugepageLimits = hugepages(request.hugepageLimits);
  return resources;
}

export function oomScoreAdj(request: LinuxContainerResources__Output | null | undefined): number {
  return bounded(request?.oomScoreAdj ?? '0', -1000, 1000, 'oom_score_adj');
}

function memoryLimits(request: LinuxContainerResources__Output): NonNullable<OciResources['memory']> {
  const limit = bounded(request.memoryLimitInBytes, -1, Number.MAX_SAFE_INTEGER, 'memory_limit_in_bytes');
  const swap = bounded(request.memorySwapLimitInBytes, -1, Number.MAX_SAFE_INTEGER, 'memory_swap_limit_in_bytes');
  if (limit > 0 && swap > 0 && swap < limit)
    throw invalidArgument(
      `memory_swap_limit_in_bytes ${swap} is less than memory_limit_in_bytes ${limit}: it is memory and swap together`,
    );
  const memory: NonNullable<OciResources['memory']> = {};
  if (limit !== 0) memory.limit = limit;
  // A limited container that says nothing about swap gets none, as in containerd: the kubelet counts on it.
  if (swap !== 0) memory.swap = swap;
  else if (limit > 0) memory.swap = limit;
  return memory;
}

function cpuLimits(request: LinuxContainerResources__Output): NonNullable<OciResources['cpu']> {
  const shares = bounded(request.cpuShares, 0, 262_144, 'cpu_shares');
  const quota = bounded(request.cpuQuota, -1, Number.MAX_SAFE_INTEGER, 'cpu_quota');
  const period = bounded(request.cpuPeriod, 0, 1_000_000, 'cpu_period');
  if (period !== 0 && period < 1000) throw invalidArgument(`less than 1000 microseconds: cpu_period ${period}`);
  if (quota > 0 && quota < 1000) throw invalidArgument(`less than 1000 microseconds: cpu_quota ${quota}`);
  const cpu: NonNullable<OciResources['cpu']> = {};
  if (shares !== 0) cpu.shares = Math.max(shares, 2); // the kernel's least
  if (quota !== 0) cpu.quota = quota;
  if (period !== 0) cpu.period = period;
  if (request.cpusetCpus !== '') cpu.cpus = cpuList(request.cpusetCpus, 'cpuset_cpus');
  if (request.cpusetMems !== '') cpu.mems = cpuList(request.cpusetMems, 'cpuset_mems');
  return cpu;
}

function cpuList(list: string, what: string): string {
  if (list.length > MAX_CPU_LIST || !CPU_LIST.test(list))
    throw invalidArgument(`not a list such as "0-3,7": ${what} ${JSON.stringify(list.slice(0, 64))}`);
  return list;
}

function hugepages(
  limits: LinuxContainerResources__Output['hugepageLimits'],
): NonNullable<OciResources['hugepageLimits']> {
  return limits.map(({ pageSize, limit }) => {
    if (!PAGE_SIZE.test(pageSize))
      throw invalidArgument(`not a size such as "2MB": page_size ${JSON.stringify(pageSize)}`);
    if (!/^\d{1,20}$/.test(limit) || BigInt(limit) > 0xffff_ffff_ffff_ffffn)
      throw invalidArgument(
        `not an unsigned 64-bit number: limit ${JSON.stringify(limit)} of huge pages of ${pageSize}`,
      );
    return { pageSize, limit };
  });
}

function checkUnified(unified: Record<string, string>): void {
  for (const [key, value] of Object.entries(unified)) {
    // cgroup.procs, cgroup.kill and their like act on processes; they are no limits.
    if (!UNIFIED_KEY.test(key) || key.includes('..') || key.startsWith('cgroup.'))
      throw invalidArgument(`not a limit of a cgroup: unified key ${JSON.stringify(key.slice(0, 64))}`);
    if (!UNIFIED_VALUE.test(value))
      throw invalidArgument(`unexpected characters: value ${JSON.stringify(value.slice(0, 64))} of unified key ${key}`);
  }
}

const parsePidsMax = (text: string): number =>
  text === 'max' ? -1 : bounded(text, 1, 4_194_304, 'unified key pids.max');

function bounded(text: string, min: number, max: number, what: string): number {
  const value = /^-?\d{1,19}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw invalidArgument(`not a number from ${min} to ${max}: ${what} ${JSON.stringify(text)}`);
  return value;
}
