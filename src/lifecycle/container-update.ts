import type { CgroupWrite, Resources } from '../cgroup/limits.js';
import { limitWrites } from '../cgroup/resources.js';
import { mergeResources, refuseBelowUsage, updateOps } from '../cgroup/update.js';
import { failedPrecondition } from '../base/errors.js';
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
  parts: Pick<Runtime, 'config' | 'containers' | 'supervisors' | 'cgroups' | 'systemd' | 'turns'>,
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
    const supervisor = parts.supervisors.require(container.sandboxId);
    try {
      // The kernel judges first, and takes all of it or nothing.
      await supervisor.update(id, encodeUpdatePlan(ops));
      // systemd rounds what it is told, and writes what it was told before along with it: then all exact values are written again.
      if (await updateScope(parts, container, linuxResources(old), change))
        await supervisor.update(id, encodeUpdatePlan(allLimits(parts, container, change)));
    } catch (error) {
      throw asRuntimeError(error, `limits of container ${id}`);
    }
    parts.containers.update(id, { resources: merge(old, resources) });
  });

const allLimits = (
  { cgroups, config }: Pick<Runtime, 'cgroups' | 'config'>,
  { cgroupPath, resources }: Container,
  change: Resources,
): CgroupWrite[] =>
  limitWrites(cgroups, cgroupPath, mergeResources(linuxResources(resources, config.containers.pids_limit), change));

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
