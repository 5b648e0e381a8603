import { refuseBelowUsage, updateOps } from '../cgroup/update.js';
import { failedPrecondition } from '../errors.js';
import type { LinuxContainerResources__Output } from '../gen/runtime/v1/LinuxContainerResources.js';
import { linuxResources } from '../oci/resources.js';
import { memoryInUse } from '../stats/cgroup-stats.js';
import { type Container, containerState } from '../store/container.js';
import { encodeUpdatePlan } from '../supervisor/plan-encoding.js';
import { updateScope } from './container-scope.js';
import type { Runtime } from './runtime.js';
import { asRuntimeError } from './supervisor-error.js';

/** Changes the limits of a created or running container; zero and empty values leave a limit as it is. */
export const updateContainer = (
  parts: Pick<Runtime, 'containers' | 'supervisors' | 'cgroups' | 'systemd' | 'turns' | 'host'>,
  { id }: Container,
  resources: LinuxContainerResources__Output,
): Promise<void> =>
  parts.turns.run(id, async () => {
    const container = parts.containers.require(id);
    if (containerState(container) === 'CONTAINER_EXITED')
      throw failedPrecondition(`not running: container ${id} has exited, its limits are gone`);
    const old = container.resources;
    const change = linuxResources(resources);
    refuseBelowUsage(memoryInUse(parts.cgroups, container.cgroupPath) ?? 0, change);
    const ops = updateOps(parts.cgroups, container.cgroupPath, linuxResources(old), change);
    const write = () => parts.supervisors.require(container.sandboxId).update(id, encodeUpdatePlan(ops));
    try {
      // The kernel judges first, and takes all of it or nothing. systemd rounds what it is told, so the exact values are written again.
      await write();
      if (await updateScope(parts, container, linuxResources(old), change)) await write();
    } catch (error) {
      throw asRuntimeError(error, `limits of container ${id}`);
    }
    parts.containers.update(id, { resources: merge(old, resources) });
  });

const merge = (
  old: LinuxContainerResources__Output | null,
  change: LinuxContainerResources__Output,
): LinuxContainerResources__Output => {
  if (!old) return change;
  const given = Object.entries(change).filter(
    ([, value]) => value !== '0' && value !== '' && !(Array.isArray(value) && value.length === 0),
  );
  // A swap limit belongs to the memory limit it came with: kept beside a higher one it would be invalid.
  const kept = change.memoryLimitInBytes === '0' ? old : { ...old, memorySwapLimitInBytes: '0' };
  return {
    ...kept,
    ...Object.fromEntries(given),
    unified: { ...old.unified, ...change.unified },
  };
};
