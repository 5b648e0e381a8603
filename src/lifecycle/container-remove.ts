import { releaseContainer } from './container-end.js';
import { killContainer } from './container-kill.js';
import type { Runtime } from './runtime.js';

type Parts = Pick<
  Runtime,
  | 'config'
  | 'log'
  | 'spawner'
  | 'containers'
  | 'supervisors'
  | 'exits'
  | 'turns'
  | 'layers'
  | 'cgroups'
  | 'containerCgroups'
  | 'containerStats'
  | 'execPlans'
>;

/** Removes a container and everything it wrote; a running one is killed first (api.proto, RemoveContainer). */
export const removeContainer = async (parts: Parts, id: string): Promise<void> => {
  const running = parts.containers.get(id);
  if (running) await killContainer(parts, running);
  await parts.turns.run(id, async () => {
    const container = parts.containers.learn(id, { stage: 'removing' });
    if (container) await releaseContainer(parts, container);
  });
};
