import { removeSandboxCgroup } from '../cgroup/paths.js';
import type { Sandbox } from '../store/sandbox.js';
import type { Runtime } from './runtime.js';

/** Removes the pod's cgroup when it is ours; the kubelet's own are the kubelet's to remove. */
export const removePodCgroup = (parts: Pick<Runtime, 'cgroups' | 'config'>, sandbox: Sandbox): void =>
  removeSandboxCgroup(parts.cgroups, parts.config.containers.default_cgroup_parent, sandbox.cgroupParent, sandbox.id);
