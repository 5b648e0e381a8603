import type { CpuUsage } from '../gen/runtime/v1/CpuUsage.js';
import type { IoUsage } from '../gen/runtime/v1/IoUsage.js';
import type { MemoryUsage } from '../gen/runtime/v1/MemoryUsage.js';
import type { SwapUsage } from '../gen/runtime/v1/SwapUsage.js';
import type { CgroupReading } from './cgroup-stats.js';

/** One reading in the CRI's words; `timestamp` is when it was read. A part is null when the kernel does not measure it. */
export const cpuUsage = (
  { cpu, pressure }: CgroupReading,
  nanoCores: (usage: bigint) => bigint | undefined,
  timestamp: number,
): CpuUsage | null => {
  if (!cpu) return null;
  const rate = nanoCores(cpu.usage);
  return {
    timestamp,
    usageCoreNanoSeconds: uint64(cpu.usage),
    usageNanoCores: rate === undefined ? null : uint64(rate),
    psi: pressure.cpu,
  };
};

export const memoryUsage = ({ memory, pressure }: CgroupReading, timestamp: number): MemoryUsage | null => {
  if (!memory) return null;
  const workingSet = workingSetOf(memory);
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

/** What is in use and was used lately: the kubelet evicts by it. */
export const workingSetOf = ({ usage, inactiveFile }: { usage: number; inactiveFile: number }): number =>
  Math.max(usage - inactiveFile, 0);

export const swapUsage = ({ swap }: CgroupReading, timestamp: number): SwapUsage | null =>
  swap && {
    timestamp,
    swapUsageBytes: uint64(swap.usage),
    swapAvailableBytes: Number.isFinite(swap.limit) ? uint64(Math.max(swap.limit - swap.usage, 0)) : null,
  };

export const ioUsage = ({ pressure }: CgroupReading, timestamp: number): IoUsage | null =>
  pressure.io && { timestamp, psi: pressure.io };

export const uint64 = (value: number | bigint) => ({ value: typeof value === 'bigint' ? String(value) : value });
