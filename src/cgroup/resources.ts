import type { PlanOp } from '../oci/plan.js';
import type { UnitProperty } from '../systemd/systemd.js';
import { deviceProgram } from './device-program.js';
import { type CgroupLayout, v1Mount, v2Mount } from './layout.js';
import { type CgroupWrite, checkResources, type Resources } from './limits.js';
import { scopeOf } from './slice.js';
import { limitProperties } from './unit-properties.js';
import { splitUnified } from './unified.js';
import { v1Writes } from './v1.js';
import { usedControllers, v2Writes } from './v2.js';

/** Makes a container's cgroup in every hierarchy and limits it, in the order in which the kernel accepts the values. */
export const cgroupOps = (layout: CgroupLayout, path: string, resources: Resources): PlanOp[] => {
  return [...directories(layout, path), ...limitWrites(layout, path, resources), ...deviceOps(layout, path, resources)];
};

/** Its limits alone: for a cgroup that is there. */
export const limitWrites = (layout: CgroupLayout, path: string, resources: Resources): CgroupWrite[] => {
  checkResources(resources);
  const { keys, resources: rest } = splitUnified(layout, resources);
  return [...v1Writes(layout, path, rest), ...v2Writes(layout, path, rest, keys)];
};

/** The same limits for the unit that systemd makes of the cgroup, as far as systemd knows them. */
export const unitLimits = (layout: CgroupLayout, resources: Resources): UnitProperty[] => {
  checkResources(resources);
  const { keys, resources: rest } = splitUnified(layout, resources);
  return limitProperties(rest, keys);
};

/** Where no v1 controller guards devices, a program does. */
const deviceOps = (layout: CgroupLayout, path: string, { devices }: Resources): PlanOp[] => {
  const program = !layout.v2 || v1Mount(layout, 'devices') || !devices ? undefined : deviceProgram(devices);
  return program ? [{ op: 'cgroup-devices', path: `${layout.v2?.mountPoint}${path}`, program }] : [];
};

/** Limits that were asked for and that no mounted controller can enforce: said once, not a reason to refuse the pod. */
export const missingControllers = (
  layout: CgroupLayout,
  { cpu, memory, pids, hugepageLimits, unified }: Resources,
): string[] => {
  const wanted = {
    cpu: cpu?.shares || cpu?.quota,
    cpuset: cpu?.cpus || cpu?.mems,
    memory: memory?.limit || memory?.swap,
    pids: pids?.limit || unified?.['pids.max'],
    hugetlb: hugepageLimits?.some(({ limit }) => limit !== '0'),
  };
  return Object.entries(wanted)
    .filter(([controller, value]) => value && !v1Mount(layout, controller) && !v2Mount(layout, controller))
    .map(([controller]) => controller);
};

const directories = (layout: CgroupLayout, path: string): PlanOp[] => {
  const role = scopeOf(path) ? 'scope' : 'leaf';
  const v1 = [...new Set(Object.values(layout.v1))].map((mountPoint): PlanOp => {
    const version = layout.v1['cpuset'] === mountPoint ? 'v1-cpuset' : 'v1';
    return { op: 'cgroup-dir', path: `${mountPoint}${path}`, version, role };
  });
  if (!layout.v2) return v1;
  const { mountPoint, controllers } = layout.v2;
  const wanted = usedControllers(controllers);
  return [
    ...v1,
    {
      op: 'cgroup-dir',
      path: `${mountPoint}${path}`,
      version: 'v2',
      role,
      ...(wanted.length > 0 && { controllers: wanted }),
    },
  ];
};
