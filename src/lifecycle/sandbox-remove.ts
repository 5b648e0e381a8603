import { rm } from 'node:fs/promises';
import type { Sandbox } from '../store/sandbox.js';
import { removeContainer } from './container-remove.js';
import { podDirectory } from './paths.js';
import type { Runtime } from './runtime.js';
import { stopSandbox } from './sandbox-stop.js';

type Parts = Parameters<typeof stopSandbox>[0] &
  Pick<Runtime, 'layers' | 'containerStats' | 'sandboxStats' | 'execPlans'>;

/** Stops a sandbox if need be, then removes its containers, its files and finally its name. */
export const removeSandbox = async (parts: Parts, sandbox: Sandbox): Promise<void> => {
  const { id } = sandbox;
  await stopSandbox(parts, sandbox);
  parts.sandboxes.update(id, { stage: 'removing' });
  const containers = parts.containers.list().filter((container) => container.sandboxId === id);
  await Promise.all(containers.map((container) => removeContainer(parts, container)));
  await rm(podDirectory(parts.config, id), { recursive: true, force: true });
  parts.sandboxStats.forget(sandbox);
  parts.sandboxes.delete(id);
};
