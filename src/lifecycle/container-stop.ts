import { type Container, hasEnded, hasStarted } from '../store/container.js';
import { killContainer } from './container-kill.js';
import type { Runtime } from './runtime.js';

type Parts = Pick<Runtime, 'containers' | 'supervisors' | 'exits' | 'turns' | 'cgroups'>;

/**
 * Asks a container to end and kills it after `timeoutSeconds`. No lock is held while it dies: each request waits for its own time, so a
 * shorter one overrides a longer one and a longer one prolongs nothing. A container that is not running is left as it is.
 */
export const stopContainer = async (parts: Parts, container: Container, timeoutSeconds: number): Promise<void> => {
  if (hasEnded(container)) return;
  if (timeoutSeconds > 0 && hasStarted(container)) {
    await askToEnd(parts, container.id, Date.now() + timeoutSeconds * 1000);
    if (await parts.exits.wait(container.id, timeoutSeconds * 1000)) return;
  }
  await killContainer(parts, container);
};

/** After a restart of the daemon: what is left of the grace period, then SIGKILL. Its stop signal it has had. */
export const resumeStop = async (parts: Parts, container: Container): Promise<void> => {
  if (container.killAt === undefined || hasEnded(container)) return;
  if (await parts.exits.wait(container.id, container.killAt - Date.now())) return;
  await killContainer(parts, container);
};

/**
 * The signal goes out once, however often the kubelet asks: many programs take a second one as "now, and without cleaning up". What is
 * journalled after it makes a restarted daemon keep the earliest of the deadlines.
 */
const askToEnd = (parts: Parts, id: string, killAt: number): Promise<void> =>
  parts.turns.run(id, async () => {
    const container = parts.containers.get(id);
    if (!container || hasEnded(container)) return;
    if (container.killAt === undefined)
      await parts.supervisors.get(container.sandboxId)?.signal(id, container.stopSignal);
    parts.containers.learn(id, { killAt: Math.min(killAt, container.killAt ?? killAt) });
  });
