import { updateOps } from '../cgroup/resources.js';
import { failedPrecondition } from '../errors.js';
import type { LinuxContainerResources__Output } from '../gen/runtime/v1/LinuxContainerResources.js';
import { linuxResources } from '../oci/resources.js';
import { type Container, containerState } from '../store/container.js';
import { encodePlan } from '../supervisor/plan-encoding.js';
import type { Runtime } from './runtime.js';
import { asRuntimeError } from './supervisor-error.js';

/** Changes the limits of a created or running container; zero and empty values leave a limit as it is. */
export const updateContainer = (
  parts: Pick<Runtime, 'containers' | 'supervisors' | 'cgroups' | 'turns' | 'host'>,
  { id }: Container,
  resources: LinuxContainerResources__Output,
): Promise<void> =>
  parts.turns.run(id, async () => {
    const container = parts.containers.require(id);
    if (containerState(container) === 'CONTAINER_EXITED') throw failedPrecondition(`not running: container ${id} has exited, its limits are gone`);
    const old = container.resources;
    const ops = updateOps(parts.cgroups, container.cgroupPath, linuxResources(old), linuxResources(resources));
    try {
      await parts.supervisors.require(container.sandboxId).update(id, encodePlan(ops));
    } catch (error) {
      throw asRuntimeError(error, `limits of container ${id}`);
    }
    parts.containers.update(id, { resources: merge(old, resources) });
  });

const merge = (old: LinuxContainerResources__Output | null, change: LinuxContainerResources__Output): LinuxContainerResources__Output => {
  if (!old) return change;
  const given = Object.entries(change).filter(([, value]) => value !== '0' && value !== '' && !(Array.isArray(value) && value.length === 0));
  return { ...old, ...Object.fromEntries(given), unified: { ...old.unified, ...change.unified } } as LinuxContainerResources__Output;
};
