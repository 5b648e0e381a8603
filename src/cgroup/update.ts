import { failedPrecondition } from '../base/errors.js';
import type { OciLimits } from '../oci/spec.js';
import type { CgroupLayout } from './layout.js';
import { type CgroupWrite, DEFAULT_PERIOD } from './limits.js';
import { limitWrites } from './resources.js';

/** From the limits in force to those that are to be; only what `change` names is written. */
export interface LimitsChange {
  readonly old: OciLimits;
  readonly change: OciLimits;
  /** `old` with `change` in it. */
  readonly merged: OciLimits;
}

/** The writes that take a cgroup from the old limits to the new ones. */
export const updateOps = (layout: CgroupLayout, path: string, limits: LimitsChange): CgroupWrite[] => {
  const { old, merged } = limits;
  const writes = limitWrites(layout, path, changedLimits(limits));
  if (raisesMemory(old, merged)) swap(writes, '/memory.limit_in_bytes', '/memory.memsw.limit_in_bytes');
  if ((merged.cpu?.period ?? DEFAULT_PERIOD) < (old.cpu?.period ?? DEFAULT_PERIOD))
    swap(writes, '/cpu.cfs_period_us', '/cpu.cfs_quota_us');
  return writes;
};

/** Quota, memory and swap are written whole when any part changes: a quota belongs to a period, swap to a limit. */
export const changedLimits = ({ change, merged }: LimitsChange): OciLimits => {
  const { cpu, memory } = change;
  const quota = (cpu?.quota || cpu?.period) && { quota: merged.cpu?.quota, period: merged.cpu?.period };
  const bytes = (memory?.limit || memory?.swap) && { limit: merged.memory?.limit, swap: merged.memory?.swap };
  return {
    ...change,
    ...(cpu && { cpu: { ...cpu, ...defined(quota) } }),
    ...(memory && { memory: { ...memory, ...defined(bytes) } }),
  };
};

const defined = <T extends object>(values: T | 0 | undefined): Partial<T> =>
  Object.fromEntries(Object.entries(values || {}).filter(([, value]) => value !== undefined)) as Partial<T>;

/**
 * Refuses a memory limit below `inUse`, what the container holds and the kernel cannot drop: on v2 it would kill the
 * container instead, on v1 answer with a bare EBUSY.
 */
export const refuseBelowUsage = (inUse: number, change: OciLimits): void => {
  const limit = change.memory?.limit ?? 0;
  if (limit <= 0 || inUse <= limit) return;
  throw failedPrecondition(
    `more memory in use than the new limit: ${inUse} bytes are in use, memory_limit_in_bytes is ${limit}; raise the limit`,
  );
};

/** v1 refuses memory above memory+swap at any moment: whichever moves away from the other goes first. */
const raisesMemory = (old: OciLimits, merged: OciLimits): boolean => {
  const before = old.memory?.limit || -1;
  const after = merged.memory?.limit || -1;
  return before > 0 && (after < 0 || after > before);
};

const swap = (writes: CgroupWrite[], first: string, second: string): void => {
  const a = writes.findIndex(({ path }) => path.endsWith(first));
  const b = writes.findIndex(({ path }) => path.endsWith(second));
  const [one, other] = [writes[a], writes[b]];
  if (one && other) [writes[a], writes[b]] = [other, one];
};
