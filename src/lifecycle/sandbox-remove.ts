import { removeContainer } from './container-remove.js';
import { unpinNetns } from './netns.js';
import type { Runtime } from './runtime.js';
import { forgetSandbox } from './sandbox-end.js';
import { stopSandbox } from './sandbox-stop.js';

type Parts = Parameters<typeof stopSandbox>[0] &
  Pick<Runtime, 'log' | 'spawner' | 'layers' | 'containerStats' | 'sandboxStats' | 'execPlans' | 'timelines'>;

/** Stops a sandbox if need be, then removes its containers, its files and finally its name. */
export const removeSandbox = async (parts: Parts, id: string): Promise<void> => {
  await stopSandbox(parts, id);
  const sandbox = parts.sandboxes.learn(id, { stage: 'removing' });
  await Promise.all(parts.containers.of(id).map((container) => removeContainer(parts, container.id)));
  if (!sandbox) return;
  // A restart of the machine can bring the file of a stopped pod back, as one that is no namespace.
  await unpinNetns(parts, sandbox.netnsPath);
  await forgetSandbox(parts, sandbox);
};
