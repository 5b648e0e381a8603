import { checkOnline } from '../cgroup/cpuset.js';
import { limitWrites } from '../cgroup/resources.js';
import { type LimitsChange, refuseBelowUsage, updateOps } from '../cgroup/update.js';
import { failedPrecondition } from '../base/errors.js';
import type { LinuxContainerResources__Output } from '../gen/runtime/v1/LinuxContainerResources.js';
import { checkResources } from '../oci/check-resources.js';
import { mergeLimits } from '../oci/merge-limits.js';
import { linuxResources } from '../oci/resources.js';
import type { OciLimits } from '../oci/spec.js';
import { memoryInUse } from '../stats/cgroup-stats.js';
import { type Container, containerState } from '../store/container.js';
import { encodeUpdatePlan } from '../supervisor/plan-encoding.js';
import type { Runtime } from './runtime.js';
import { asRuntimeError } from './supervisor-error.js';

type Parts = Pick<Runtime, 'containers' | 'supervisors' | 'cgroups' | 'containerCgroups' | 'turns' | 'host'>;
type Extended = Parts & Pick<Runtime, 'extension'>;

/** Changes the limits of a created or running container; zero and empty values leave a limit as it is. */
export const updateContainer = async (
  parts: Extended,
  { id }: Container,
  resources: LinuxContainerResources__Output,
): Promise<void> => {
  // Not in its turn: whoever is asked may want to change other limits of it meanwhile.
  const change = await parts.extension.updateContainer(requireLimited(parts, id), linuxResources(resources));
  await parts.turns.run(id, async () => {
    const container = requireLimited(parts, id);
    const limits = await changeLimits(parts, container, change);
    parts.containers.update(id, { limits, resources: mergeShown(container.resources, resources) });
  });
  const updated = parts.containers.get(id);
  if (updated) parts.extension.containerUpdated(updated);
};

/** The same for others than the kubelet: what it has asked for stays what it is shown. */
export const adjustLimits = (parts: Parts, id: string, change: OciLimits): Promise<void> =>
  parts.turns.run(id, async () => {
    const limits = await changeLimits(parts, requireLimited(parts, id), change);
    parts.containers.update(id, { limits });
  });

const requireLimited = ({ containers }: Pick<Parts, 'containers'>, id: string): Container => {
  const container = containers.require(id);
  if (containerState(container) === 'CONTAINER_EXITED')
    throw failedPrecondition(`not running: container ${id} has exited, its limits are gone`);
  return container;
};

/** Merges a change into what is in force, and answers what then is. */
const changeLimits = async (
  parts: Parts,
  { id, sandboxId, cgroupPath, limits: old }: Container,
  change: OciLimits,
): Promise<OciLimits> => {
  // At its creation a container is given none; whoever changes them wants to know that they are in force.
  if (parts.cgroups.mode === 'none')
    throw failedPrecondition(`no cgroups on this rootless node: limits of container ${id}`);
  const merged = mergeLimits(old, change);
  checkResources(merged, parts.host);
  checkOnline(change);
  refuseBelowUsage(memoryInUse(parts.cgroups, cgroupPath) ?? 0, change);
  const limits: LimitsChange = { old, change, merged };
  const supervisor = parts.supervisors.require(sandboxId);
  try {
    // The kernel judges first, and takes all of it or nothing.
    await supervisor.update(id, encodeUpdatePlan(updateOps(parts.cgroups, cgroupPath, limits)));
    // systemd rounds what it is told, and writes what it was told before along with it: then all exact values are written again.
    if (await parts.containerCgroups.of(cgroupPath).changed(limits))
      await supervisor.update(id, encodeUpdatePlan(limitWrites(parts.cgroups, cgroupPath, merged)));
  } catch (error) {
    throw asRuntimeError(error, `limits of container ${id}`);
  }
  return merged;
};

/** What ContainerStatus shows: the words of the CRI, as they were sent. */
const mergeShown = (
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
