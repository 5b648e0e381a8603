import type { Container } from '../store/container.js';
import { killContainer } from './container-kill.js';
import type { Runtime } from './runtime.js';

/**
 * Asks a container to end and kills it after `timeoutSeconds`. No lock is held while it dies, so a second request with a shorter
 * timeout overrides a longer one. A container that is not running is left as it is.
 */
export const stopContainer = async (
  parts: Pick<Runtime, 'supervisors' | 'exits'>,
  container: Container,
  timeoutSeconds: number,
): Promise<void> => {
  if (container.finishedAt !== '0') return;
  const supervisor = parts.supervisors.get(container.sandboxId);
  if (!supervisor) return;
  if (timeoutSeconds > 0 && container.startedAt !== '0') {
    await supervisor.signal(container.id, container.stopSignal);
    if (await parts.exits.wait(container.id, timeoutSeconds * 1000)) return;
  }
  await killContainer(parts, container);
};
