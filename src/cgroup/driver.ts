import { failedPrecondition } from '../base/errors.js';
import type { CgroupLayout } from './layout.js';
import { checkCgroupPath } from './paths.js';
import { checkSlice, childSlice, scopeName, sliceOf, slicePath } from './slice.js';

/**
 * Who makes cgroups: we do, as plain directories, or systemd does, as slices and scopes. On a host of systemd's it has to be systemd: two
 * managers of one hierarchy undo each other's settings. Paths are below each hierarchy's root.
 */
export interface CgroupDriver {
  readonly name: 'cgroupfs' | 'systemd';
  /** The cgroup of a pod: the one that LinuxPodSandboxConfig.cgroup_parent names, else one of its own. */
  podCgroup(requested: string, sandboxId: string): string;
  containerCgroup(podCgroup: string, containerId: string): string;
}

export const cgroupfsDriver = (defaultParent = '/jangada'): CgroupDriver => {
  const parent = checkCgroupPath(defaultParent);
  return {
    name: 'cgroupfs',
    podCgroup: (requested, sandboxId) => (requested === '' ? `${parent}/${sandboxId}` : checkCgroupPath(requested)),
    containerCgroup: plainCgroup,
  };
};

/** `root` is systemd's own cgroup: not the hierarchy's root when systemd runs in a container. */
export const systemdDriver = (root: string, scopePrefix: string, defaultParent = 'jangada.slice'): CgroupDriver => {
  const parent = checkSlice(defaultParent, 'containers.default_cgroup_parent');
  return {
    name: 'systemd',
    podCgroup: (requested, sandboxId) =>
      root + slicePath(requested === '' ? childSlice(parent, sandboxId) : checkSlice(requested, 'cgroup_parent')),
    // A pod that was made before the driver was changed is not in a slice.
    containerCgroup: (podCgroup, id) =>
      sliceOf(podCgroup) ? `${podCgroup}/${scopeName(scopePrefix, id)}` : plainCgroup(podCgroup, id),
  };
};

const plainCgroup = (podCgroup: string, containerId: string): string => `${podCgroup}/${containerId}`;

/** `auto`: systemd where systemd is the service manager and v2 the only hierarchy, as peers choose. */
export const chooseDriver = (
  configured: 'auto' | CgroupDriver['name'],
  mode: CgroupLayout['mode'],
  booted: boolean,
): CgroupDriver['name'] => {
  if (configured === 'auto') return booted && mode === 'v2' ? 'systemd' : 'cgroupfs';
  if (configured === 'cgroupfs') return 'cgroupfs';
  if (!booted) throw failedPrecondition('systemd is not the service manager here: containers.cgroup_driver "systemd"');
  if (mode !== 'v2')
    throw failedPrecondition(
      `cgroup ${mode} host: containers.cgroup_driver "systemd" needs cgroup v2 alone; boot with systemd.unified_cgroup_hierarchy=1 or use "cgroupfs"`,
    );
  return 'systemd';
};
