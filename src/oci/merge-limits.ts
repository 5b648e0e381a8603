import type { OciLimits } from './spec.js';

/**
 * `old` with what `change` asks for; 0, empty and absent leave things as they are. When only memory changes, the allowance of swap beside
 * it stays, as it does by itself on v2.
 */
export const mergeLimits = (old: OciLimits, change: OciLimits): OciLimits => {
  const memory = { ...old.memory, ...present(change.memory) };
  const { limit = 0, swap = 0 } = old.memory ?? {};
  if (change.memory?.limit && !change.memory.swap && swap > 0)
    memory.swap = change.memory.limit < 0 ? -1 : change.memory.limit + Math.max(swap - limit, 0);
  return withoutEmpty({
    ...old,
    cpu: { ...old.cpu, ...present(change.cpu) },
    memory,
    blockIO: { ...old.blockIO, ...present(change.blockIO) },
    hugepageLimits: mergeHugepages(old.hugepageLimits ?? [], change.hugepageLimits ?? []),
    unified: { ...old.unified, ...change.unified },
    ...(change.pids?.limit && { pids: change.pids }),
  });
};

const present = <T extends object>(values: T | undefined): Partial<T> =>
  Object.fromEntries(Object.entries(values ?? {}).filter(([, value]) => value)) as Partial<T>;

const withoutEmpty = (limits: OciLimits): OciLimits =>
  Object.fromEntries(Object.entries(limits).filter(([, value]) => Object.keys(value as object).length > 0));

type Hugepages = NonNullable<OciLimits['hugepageLimits']>;

const mergeHugepages = (old: Hugepages, change: Hugepages): Hugepages => [
  ...old.filter(({ pageSize }) => !change.some((other) => other.pageSize === pageSize)),
  ...change,
];
