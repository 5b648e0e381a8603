import { killCgroup } from '../cgroup/kill.js';
import { sliceOf } from '../cgroup/slice.js';
import type { Sandbox } from '../store/sandbox.js';
import type { Runtime } from './runtime.js';

/**
 * Removes the cgroup of a pod that has ended when it is ours, which its name says; the kubelet's own are the kubelet's to remove. A creation
 * that was under way may have left a cgroup in it.
 */
export const removePodCgroup = async (
  parts: Pick<Runtime, 'cgroups' | 'systemd'>,
  { id, cgroupParent }: Pick<Sandbox, 'id' | 'cgroupParent'>,
): Promise<void> => {
  if (cgroupParent.endsWith(`/${id}`)) await killCgroup(parts.cgroups, cgroupParent);
  const slice = sliceOf(cgroupParent);
  if (slice?.endsWith(`-${id}.slice`)) await parts.systemd.stop(slice);
};
