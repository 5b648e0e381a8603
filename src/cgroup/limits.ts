import type { PlanOp } from '../gen/plan.js';

export type CgroupWrite = Extract<PlanOp, { op: 'cgroup-write' }>;

export const write = (path: string, value: string | number, optional = false): CgroupWrite => ({
  op: 'cgroup-write',
  path,
  value: String(value),
  optional,
});

/** Microseconds: what a quota is meant for when nobody says (kernel/sched: sched-bwc.rst). */
export const DEFAULT_PERIOD = 100_000;
