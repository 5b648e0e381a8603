import { removeCgroup } from '../cgroup/paths.js';
import { sliceOf } from '../cgroup/slice.js';
import type { Sandbox } from '../store/sandbox.js';
import type { Runtime } from './runtime.js';

/** Removes the pod's cgroup when it is ours, which its name says; the kubelet's own are the kubelet's to remove. */
export const removePodCgroup = async (
  parts: Pick<Runtime, 'cgroups' | 'systemd'>,
  { id, cgroupParent }: Sandbox,
): Promise<void> => {
  if (cgroupParent.endsWith(`/${id}`)) removeCgroup(parts.cgroups, cgroupParent);
  const slice = sliceOf(cgroupParent);
  if (slice?.endsWith(`-${id}.slice`)) await parts.systemd.stop(slice);
};
