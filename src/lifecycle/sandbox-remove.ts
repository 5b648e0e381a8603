import type { Sandbox } from '../store/sandbox.js';
import { removeContainer } from './container-remove.js';
import { unpinNetns } from './netns.js';
import type { Runtime } from './runtime.js';
import { forgetSandbox } from './sandbox-end.js';
import { stopSandbox } from './sandbox-stop.js';

type Parts = Parameters<typeof stopSandbox>[0] &
  Pick<Runtime, 'layers' | 'containerStats' | 'sandboxStats' | 'execPlans'>;

/** Stops a sandbox if need be, then removes its containers, its files and finally its name. */
export const removeSandbox = async (parts: Parts, sandbox: Sandbox): Promise<void> => {
  const { id } = sandbox;
  await stopSandbox(parts, sandbox);
  parts.sandboxes.learn(id, { stage: 'removing' });
  const containers = parts.containers.list().filter((container) => container.sandboxId === id);
  await Promise.all(containers.map((container) => removeContainer(parts, container)));
  // A restart of the machine can bring the file of a stopped pod back, as one that is no namespace.
  await unpinNetns(parts, sandbox.netnsPath);
  await forgetSandbox(parts, sandbox);
};
