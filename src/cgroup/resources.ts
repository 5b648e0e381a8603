import { failedPrecondition } from '../base/errors.js';
import type { PlanOp } from '../gen/plan.js';
import type { OciLimits, OciResources } from '../oci/spec.js';
import { deviceProgram } from './device-program.js';
import { type CgroupLayout, v1Mount } from './layout.js';
import type { CgroupWrite } from './limits.js';
import { v1DeviceWrites, v1Writes } from './v1.js';
import { usedControllers, v2Writes } from './v2.js';

/** Makes a container's cgroup in every hierarchy and limits it, in the order in which the kernel accepts the values. */
export const cgroupOps = (
  layout: CgroupLayout,
  path: string,
  role: 'leaf' | 'scope',
  resources: OciResources,
): PlanOp[] => [
  ...directories(layout, path, role),
  ...limitWrites(layout, path, resources),
  ...deviceOps(layout, path, resources),
];

/** Its limits alone: for a cgroup that is there. */
export const limitWrites = (layout: CgroupLayout, path: string, limits: OciLimits): CgroupWrite[] => [
  ...v1Writes(layout, path, limits),
  ...v2Writes(layout, path, limits),
];

/** Where no v1 controller guards devices, a program does; where neither can, a container that is not to have them all is not made. */
const deviceOps = (layout: CgroupLayout, path: string, { devices }: OciResources): PlanOp[] => {
  // Nobody makes a device node in a user namespace, and those of the host open for whoever their modes let.
  if (layout.mode === 'none') return [];
  if (v1Mount(layout, 'devices')) return v1DeviceWrites(layout, path, devices);
  const program = deviceProgram(devices);
  if (!program) return [];
  if (!layout.v2)
    throw failedPrecondition(
      'nothing keeps a container from devices here: cgroup v1 without the controller "devices"; mount it or cgroup2',
    );
  return [{ op: 'cgroup-devices', path: `${layout.v2.mountPoint}${path}`, program }];
};

const directories = (layout: CgroupLayout, path: string, role: 'leaf' | 'scope'): PlanOp[] => {
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
