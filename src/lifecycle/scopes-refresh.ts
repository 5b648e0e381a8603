import { hasEnded } from '../store/container.js';
import type { Runtime } from './runtime.js';

type Parts = Pick<Runtime, 'log' | 'containers' | 'supervisors' | 'turns' | 'containerCgroups'>;

/** Has the limits in force written again wherever systemd, which has been reloaded, may have written its own. */
export const refreshScopes = async (parts: Parts): Promise<void> => {
  await Promise.all(parts.containers.list().map(({ id }) => parts.turns.run(id, () => refresh(parts, id))));
};

const refresh = async (parts: Parts, id: string): Promise<void> => {
  const container = parts.containers.get(id);
  const supervisor = container && parts.supervisors.get(container.sandboxId);
  if (!supervisor || container.stage !== 'live' || hasEnded(container)) return;
  try {
    await parts.containerCgroups.of(container.cgroupPath).reloaded(supervisor, id, container.limits);
  } catch (error) {
    parts.log.warn({ err: error, container: id }, 'cannot write limits again after a reload of systemd');
  }
};
