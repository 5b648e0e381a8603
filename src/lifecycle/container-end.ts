import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Container, heldLayers } from '../store/container.js';
import type { ContainerCgroup } from './container-cgroup.js';
import { runPoststop } from './container-hooks.js';
import { dropContainer } from './container-kill.js';
import { containerDirectory, specPath } from './paths.js';
import type { Runtime } from './runtime.js';

type Holder = Pick<Runtime, 'supervisors' | 'exits' | 'containerCgroups'>;
type Keeper = Pick<Runtime, 'config' | 'log' | 'spawner' | 'containers' | 'layers' | 'containerStats' | 'execPlans'>;

/**
 * All that a container holds, in the order in which it goes; whoever removes one, whatever it had come to, removes it by this list. Each step
 * is harmless when there is nothing. The writable layer is deleted in the background.
 */
export const releaseContainer = async (parts: Holder & Keeper, container: Container): Promise<void> => {
  await endContainer(parts, container);
  await runPoststop(parts, container);
  await Promise.all([
    parts.layers.discard(containerDirectory(parts.config, container.id)),
    rm(dirname(specPath(parts.config, container.sandboxId, container.id)), { recursive: true, force: true }),
  ]);
  parts.containerStats.forget(container);
  parts.execPlans.forget(container.id);
  // Once, although RemovePodSandbox may overtake a creation that then rolls back.
  if (parts.containers.delete(container.id)) await parts.layers.release(heldLayers(container));
};

/** The processes of a container, its cgroup and its scope. Whatever was recorded: the supervisor knows what there is, else the kernel. */
export const endContainer = async (parts: Holder, container: Container): Promise<void> => {
  const cgroup = parts.containerCgroups.of(container.cgroupPath);
  if (!(await endBySupervisor(parts, container, cgroup))) await cgroup.kill();
  await cgroup.end();
};

/** False when there is no supervisor, or none any more: a pod that ends takes its containers along. */
const endBySupervisor = async (
  parts: Holder,
  { id, sandboxId }: Container,
  cgroup: ContainerCgroup,
): Promise<boolean> => {
  const ended = await parts.supervisors.ask(sandboxId, async (supervisor) => {
    await dropContainer(parts, supervisor, id);
    await cgroup.release(supervisor, id);
    return true;
  });
  return ended ?? false;
};
