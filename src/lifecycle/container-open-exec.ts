import type { Container } from '../store/container.js';
import { requireRunning, requireThawed } from './container-running.js';
import type { ProcessStreams } from './process-streams.js';
import type { Runtime } from './runtime.js';
import type { WantedStdio } from './stream-request.js';
import { asRuntimeError } from './supervisor-error.js';

export interface ExecProcess extends ProcessStreams {
  /** When it ends, its exit code; what it wrote may still have to be read. */
  readonly exitCode: Promise<number>;
  /** To be called when nobody waits for it any more: it then does not count any more among those that a pod may have. */
  forget(): void;
}

/**
 * Starts a command in a running container, with streams to it. It gets exactly what the container's first process got (CVE-2019-10144).
 * Closing the streams is to the command what the end of a login session is: end of file, SIGPIPE, a hang-up of its terminal. One that
 * ignores all of it runs on until its container ends.
 */
export const openExec = async (
  parts: Pick<Runtime, 'supervisors' | 'execPlans' | 'cgroups'>,
  container: Container,
  argv: readonly string[],
  { tty, ...wanted }: WantedStdio,
): Promise<ExecProcess> => {
  requireRunning(container);
  requireThawed(parts, container);
  const { streams } = parts.supervisors.require(container.sandboxId);
  try {
    const plan = await parts.execPlans.get(container, [...argv], tty);
    const { session, ...stdio } = await streams.exec(container.id, plan, wanted);
    const exitCode = streams.wait(session);
    exitCode.catch(() => undefined); // whoever is interested waits for it too
    const forget = () => void streams.forget(session).catch(() => undefined); // with its supervisor it is gone, too
    return {
      ...stdio,
      exitCode,
      forget,
      resize: (width, height) => streams.resize(container.id, session, width, height),
    };
  } catch (error) {
    throw asRuntimeError(error, `${JSON.stringify(argv[0])} in container ${container.id}`);
  }
};
