import { failedPrecondition } from '../base/errors.js';
import { type Container, hasEnded, hasStarted } from '../store/container.js';
import { SupervisorError } from '../supervisor/supervisor.js';
import { now } from '../base/clock.js';
import { hooksAtStart, runPoststart } from './container-hooks.js';
import { asRuntimeError } from './supervisor-error.js';
import type { Timed } from './timelines.js';
import type { Runtime } from './runtime.js';

type Parts = Pick<
  Runtime,
  'config' | 'log' | 'containers' | 'supervisors' | 'spawner' | 'turns' | 'exits' | 'extension' | 'timelines'
>;

/**
 * Releases a created container to its execve. A request that is repeated because its answer was lost gets the result of the first. A start
 * that fails leaves the container EXITED with the cause as its message; one that was not answered may still succeed, so it is killed, and its
 * end is recorded when the supervisor tells of it.
 */
export const startContainer = (parts: Parts, id: string, client: AbortSignal): Promise<void> => {
  const { sandboxId, config } = parts.containers.require(id);
  const subject = { what: 'StartContainer', sandbox: sandboxId, container: id, name: config.metadata?.name ?? '' };
  return parts.timelines.pass(subject, (timed) => start(parts, id, client, timed));
};

const start = async (parts: Parts, id: string, client: AbortSignal, timed: Timed): Promise<void> => {
  // Not in its turn: whoever is asked may want to change its limits before it starts.
  const created = parts.containers.require(id);
  if (!hasStarted(created) && !hasEnded(created)) await timed('plugins', () => parts.extension.startContainer(created));
  return parts.turns.run(id, async () => {
    const container = parts.containers.require(id);
    if (hasStarted(container) && (!hasEnded(container) || container.startUnheard)) return;
    if (hasEnded(container)) throw failedPrecondition(`${whyNot(container)}: container ${id}; create a new one`);
    const supervisor = parts.supervisors.require(container.sandboxId);
    try {
      const ms = await hooksAtStart(parts, container);
      const { startedAt } = await timed('execve', () => supervisor.start(id, ms));
      parts.containers.learn(id, { startedAt: String(startedAt), startUnheard: client.aborted });
    } catch (error) {
      const cause = asRuntimeError(error, `container ${id}`);
      if (error instanceof SupervisorError && !error.isAnswer) {
        supervisor
          .kill(id)
          .catch((err: unknown) =>
            parts.log.warn({ err, container: id }, 'cannot kill a container after its late start'),
          );
        throw cause;
      }
      parts.exits.record(id, { exitCode: 128, oom: false, finishedAt: now(), message: cause.message });
      throw cause;
    }
    await runPoststart(parts, container);
  });
};

const whyNot = (container: Container): string =>
  !hasStarted(container) && container.message ? container.message : 'not in state CREATED but EXITED';
