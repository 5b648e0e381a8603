import { type AttachedStreams, attachContainer } from '../lifecycle/container-attach.js';
import { destroyStreams } from '../lifecycle/process-streams.js';
import type { Runtime } from '../lifecycle/runtime.js';
import type { StreamRequest } from '../lifecycle/stream-request.js';
import type { ClientStreams } from './client-streams.js';
import { relay } from './relay.js';

export type AttachStreamRequest = Extract<StreamRequest, { kind: 'attach' }>;

/** Connects the client with the container's first process until one of them goes; the container does not notice the client's going. */
export const serveAttach = async (
  runtime: Pick<Runtime, 'containers' | 'supervisors' | 'attachedInputs' | 'log'>,
  request: AttachStreamRequest,
  client: ClientStreams,
): Promise<void> => {
  try {
    const container = runtime.containers.require(request.containerId);
    // An output tells when the container ends, even to a client that wants none.
    const wanted = { ...request, stdout: request.stdout || !request.stderr };
    const attached = await attachContainer(runtime, container, wanted);
    endInputWith(client, attached, (error) =>
      runtime.log.warn({ err: error, container: request.containerId }, 'cannot end the input of a container'),
    );
    const gone = () => destroyStreams(attached);
    client.gone.addEventListener('abort', gone, { once: true });
    if (client.gone.aborted) gone();
    await relay(client, attached);
    destroyStreams(attached);
    await client.finish({ kind: 'success' });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    await client.finish({ kind: 'error', message: `error attaching to container: ${message}` });
  }
};

const endInputWith = (client: ClientStreams, attached: AttachedStreams, onError: (error: unknown) => void): void => {
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    attached.inputEnded().catch(onError);
  };
  client.stdin?.once('end', end);
  client.gone.addEventListener('abort', end, { once: true });
  if (client.gone.aborted) end();
};
