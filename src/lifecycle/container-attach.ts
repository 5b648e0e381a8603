import type { Container } from '../store/container.js';
import { requireRunning } from './container-running.js';
import type { ProcessStreams } from './process-streams.js';
import type { Runtime } from './runtime.js';
import type { WantedStdio } from './stream-request.js';
import { asRuntimeError } from './supervisor-error.js';

export interface AttachedStreams extends ProcessStreams {
  /** To be called when the client's input has ended or the client has gone: the end of the container's too, if it was made so. */
  inputEnded(): Promise<void>;
}

/**
 * Streams to and from a container's first process, from now on. Clients come and go, the container does not notice; but one that was made
 * with stdin_once reads an end of file when the first client with an input is done (api.proto, ContainerConfig.stdin_once).
 */
export const attachContainer = async (
  parts: Pick<Runtime, 'supervisors' | 'attachedInputs'>,
  container: Container,
  wanted: WantedStdio,
): Promise<AttachedStreams> => {
  requireRunning(container);
  const { id, config } = container;
  const { streams } = parts.supervisors.require(container.sandboxId);
  const take = parts.attachedInputs.reserve(id);
  try {
    const { stdin, stdout, stderr } = await streams.attach(id, wanted);
    take(stdin);
    const inputEnded = async (): Promise<void> => {
      if (!wanted.stdin || !config.stdinOnce || config.tty) return;
      parts.attachedInputs.endAll(id);
      await streams.closeStdin(id);
    };
    return { stdin, stdout, stderr, inputEnded, resize: (width, height) => streams.resize(id, 0, width, height) };
  } catch (error) {
    take(undefined);
    throw asRuntimeError(error, `attach to container ${id}`);
  }
};
