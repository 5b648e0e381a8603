import type { LinuxContainerResources__Output } from '../gen/runtime/v1/LinuxContainerResources.js';
import type { OciLimits } from './spec.js';

/** Microseconds: the kernel takes no more (kernel/sched: max_cfs_runtime), and no machine has as many CPUs. */
const MAX_QUOTA = 2 ** 44 - 1;
/** cpu.shares of the kernel. */
const [MIN_SHARES, MAX_SHARES] = [2, 262_144];

/**
 * Limits of the CRI as those of OCI; 0 and "" mean "not specified" (api.proto, LinuxContainerResources). Nothing is judged here: that is
 * `checkResources`, which also sees what others have changed. A number beyond all that a machine has is what the kernel writes for
 * "unlimited", 9223372036854771712 for instance, and what the kubelet has read there.
 */
export function linuxResources(request: LinuxContainerResources__Output | null | undefined, pidsLimit = 0): OciLimits {
  const pids = pidsLimit === 0 ? {} : { pids: { limit: pidsLimit } };
  if (!request) return pids;
  const memory = memoryLimits(request);
  const cpu = cpuLimits(request);
  return liftPidsMax({
    ...pids,
    ...(Object.keys(request.unified).length > 0 && { unified: { ...request.unified } }),
    ...(Object.keys(memory).length > 0 && { memory }),
    ...(Object.keys(cpu).length > 0 && { cpu }),
    ...(request.hugepageLimits.length > 0 && {
      hugepageLimits: request.hugepageLimits.map(({ pageSize, limit }) => ({ pageSize, limit })),
    }),
  });
}

/** `pids.max` has the same meaning in v1, and the CRI has no other way to ask for it: it is the limit of processes. */
export function liftPidsMax(limits: OciLimits): OciLimits {
  const { 'pids.max': pidsMax, ...unified } = limits.unified ?? {};
  if (pidsMax === undefined || !/^(max|[1-9]\d{0,9})$/.test(pidsMax)) return limits;
  const lifted: OciLimits = { ...limits, unified, pids: { limit: pidsMax === 'max' ? -1 : Number(pidsMax) } };
  if (Object.keys(unified).length === 0) delete lifted.unified;
  return lifted;
}

export const oomScoreAdj = (request: LinuxContainerResources__Output | null | undefined): number =>
  Number(request?.oomScoreAdj ?? 0);

function memoryLimits(request: LinuxContainerResources__Output): NonNullable<OciLimits['memory']> {
  const limit = orUnlimited(request.memoryLimitInBytes, Number.MAX_SAFE_INTEGER);
  const swap = orUnlimited(request.memorySwapLimitInBytes, Number.MAX_SAFE_INTEGER);
  const memory: NonNullable<OciLimits['memory']> = {};
  if (limit !== 0) memory.limit = limit;
  // A limited container that says nothing about swap gets none, as in containerd: the kubelet counts on it.
  if (swap !== 0) memory.swap = swap;
  else if (limit > 0) memory.swap = limit;
  return memory;
}

function cpuLimits(request: LinuxContainerResources__Output): NonNullable<OciLimits['cpu']> {
  const shares = Number(request.cpuShares);
  const quota = orUnlimited(request.cpuQuota, MAX_QUOTA);
  const period = Number(request.cpuPeriod);
  const cpu: NonNullable<OciLimits['cpu']> = {};
  if (shares !== 0) cpu.shares = shares < 0 ? shares : Math.min(Math.max(shares, MIN_SHARES), MAX_SHARES);
  if (quota !== 0) cpu.quota = quota;
  if (period !== 0) cpu.period = period;
  if (request.cpusetCpus !== '') cpu.cpus = request.cpusetCpus;
  if (request.cpusetMems !== '') cpu.mems = request.cpusetMems;
  return cpu;
}

function orUnlimited(text: string, most: number): number {
  const value = Number(text);
  return value > most ? -1 : value;
}
