import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Container, heldLayers } from '../store/container.js';
import { dropContainer, killContainer } from './container-kill.js';
import { containerDirectory, specPath } from './paths.js';
import { endScope } from './container-scope.js';
import type { Runtime } from './runtime.js';

type Parts = Pick<
  Runtime,
  | 'config'
  | 'containers'
  | 'supervisors'
  | 'exits'
  | 'turns'
  | 'layers'
  | 'cgroups'
  | 'systemd'
  | 'containerStats'
  | 'execPlans'
>;

/** Removes a container and everything it wrote; a running one is killed first (api.proto, RemoveContainer). */
export const removeContainer = async (parts: Parts, { id }: Container): Promise<void> => {
  const running = parts.containers.get(id);
  if (running) await killContainer(parts, running);
  await parts.turns.run(id, async () => {
    const container = parts.containers.update(id, { stage: 'removing' });
    if (!container) return;
    const supervisor = parts.supervisors.get(container.sandboxId);
    // Whatever was recorded: the supervisor knows whether it has ended.
    if (supervisor) await dropContainer(parts, supervisor, id);
    await endScope(parts, container);
    await discardContainer(parts, container);
    parts.containerStats.forget(container);
    parts.execPlans.forget(id);
  });
};

/** Drops what is on disk and in the store; the writable layer is deleted in the background. */
export const discardContainer = async (
  parts: Pick<Runtime, 'config' | 'containers' | 'layers'>,
  container: Container,
): Promise<void> => {
  await Promise.all([
    parts.layers.discard(containerDirectory(parts.config, container.id)),
    removeSpec(parts, container.sandboxId, container.id),
  ]);
  await forgetContainer(parts, container);
};

/** Takes it out of the store and gives its layers back: once, although RemovePodSandbox may overtake a creation that then rolls back. */
export const forgetContainer = async (
  parts: Pick<Runtime, 'containers' | 'layers'>,
  container: Container,
): Promise<void> => {
  if (parts.containers.delete(container.id)) await parts.layers.release(heldLayers(container));
};

/** The container's directory on the tmpfs. */
export const removeSpec = (parts: Pick<Runtime, 'config'>, sandboxId: string, containerId: string): Promise<void> =>
  rm(dirname(specPath(parts.config, sandboxId, containerId)), { recursive: true, force: true });
