import { failedPrecondition } from '../base/errors.js';
import type { CgroupLayout } from './layout.js';
import { type CgroupWrite, checkResources, type Resources } from './limits.js';
import { splitUnified } from './unified.js';
import { v1Writes } from './v1.js';
import { v2Writes } from './v2.js';

/**
 * `old` with what `change` asks for; 0, empty and absent leave things as they are. When only memory changes, the
 * allowance of swap beside it stays, as it does by itself on v2.
 */
export const mergeResources = (old: Resources, change: Resources): Resources => {
  const memory = { ...old.memory, ...present(change.memory) };
  const { limit = 0, swap = 0 } = old.memory ?? {};
  if (change.memory?.limit && !change.memory.swap && swap > 0) {
    memory.swap = change.memory.limit < 0 ? -1 : change.memory.limit + Math.max(swap - limit, 0);
  }
  const merged: Resources = {
    ...old,
    cpu: { ...old.cpu, ...present(change.cpu) },
    memory,
    hugepageLimits: mergeHugepages(old.hugepageLimits ?? [], change.hugepageLimits ?? []),
    unified: { ...old.unified, ...change.unified },
    ...(change.pids?.limit && { pids: change.pids }),
  };
  checkResources(merged);
  return merged;
};

/** The writes that take a cgroup from `old` to `old` merged with `change`; only what `change` names is written. */
export const updateOps = (layout: CgroupLayout, path: string, old: Resources, change: Resources): CgroupWrite[] => {
  const merged = mergeResources(old, change);
  const { keys, resources: changed } = splitUnified(layout, changedOf(merged, change));
  const writes = [...v1Writes(layout, path, changed), ...v2Writes(layout, path, changed, keys)];
  if (raisesMemory(old, merged)) swap(writes, '/memory.limit_in_bytes', '/memory.memsw.limit_in_bytes');
  if ((merged.cpu?.period ?? DEFAULT_PERIOD) < (old.cpu?.period ?? DEFAULT_PERIOD))
    swap(writes, '/cpu.cfs_period_us', '/cpu.cfs_quota_us');
  return writes;
};

/** What an update changes, for the properties of a unit. */
export const changedResources = (old: Resources, change: Resources): Resources =>
  changedOf(mergeResources(old, change), change);

/**
 * Refuses a memory limit below `inUse`, what the container holds and the kernel cannot drop: on v2 it would kill the
 * container instead, on v1 answer with a bare EBUSY.
 */
export const refuseBelowUsage = (inUse: number, change: Resources): void => {
  const limit = change.memory?.limit ?? 0;
  if (limit <= 0 || inUse <= limit) return;
  throw failedPrecondition(
    `more memory in use than the new limit: ${inUse} bytes are in use, memory_limit_in_bytes is ${limit}; raise the limit`,
  );
};

const DEFAULT_PERIOD = 100_000;

/** cpu and memory are written whole when any part changes: quota belongs to a period, swap to a limit. */
const changedOf = (merged: Resources, change: Resources): Resources => ({
  ...(change.cpu && {
    cpu: {
      shares: change.cpu.shares,
      cpus: change.cpu.cpus,
      mems: change.cpu.mems,
      ...((change.cpu.quota || change.cpu.period) && { quota: merged.cpu?.quota, period: merged.cpu?.period }),
    },
  }),
  ...((change.memory?.limit || change.memory?.swap) && {
    memory: { ...merged.memory, reservation: change.memory.reservation },
  }),
  ...(change.pids && { pids: change.pids }),
  ...(change.hugepageLimits && { hugepageLimits: change.hugepageLimits }),
  ...(change.unified && { unified: change.unified }),
});

/** v1 refuses memory above memory+swap at any moment: whichever moves away from the other goes first. */
const raisesMemory = (old: Resources, merged: Resources): boolean => {
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

const present = <T extends object>(values: T | undefined): Partial<T> =>
  Object.fromEntries(Object.entries(values ?? {}).filter(([, value]) => value)) as Partial<T>;

type Hugepages = NonNullable<Resources['hugepageLimits']>;

const mergeHugepages = (old: Hugepages, change: Hugepages): Hugepages => [
  ...old.filter(({ pageSize }) => !change.some((other) => other.pageSize === pageSize)),
  ...change,
];
