import { type ExecProcess, openExec } from '../lifecycle/container-open-exec.js';
import { destroyStreams } from '../lifecycle/process-streams.js';
import type { Runtime } from '../lifecycle/runtime.js';
import type { StreamRequest } from '../lifecycle/stream-request.js';
import type { ClientStreams } from './client-streams.js';
import { relay } from './relay.js';
import { exitOutcome, type Outcome } from './status.js';

export type ExecStreamRequest = Extract<StreamRequest, { kind: 'exec' }>;

/** Runs the command with the client's streams and tells the client how it ended. */
export const serveExec = async (
  runtime: Pick<Runtime, 'containers' | 'supervisors' | 'execPlans' | 'cgroups'>,
  request: ExecStreamRequest,
  client: ClientStreams,
): Promise<void> => {
  try {
    const container = runtime.containers.require(request.containerId);
    const process = await openExec(runtime, container, request.command, request);
    await client.finish(await run(process, request, client));
  } catch (error) {
    await client.finish({ kind: 'error', message: `error executing command in container: ${messageOf(error)}` });
  }
};

/** When the client goes first, its streams are closed and nobody waits for the command. */
const run = async (process: ExecProcess, { command }: ExecStreamRequest, client: ClientStreams): Promise<Outcome> => {
  const gone = new Promise<void>((resolve) => {
    const leave = () => {
      destroyStreams(process);
      process.forget();
      resolve();
    };
    if (client.gone.aborted) leave();
    else client.gone.addEventListener('abort', leave, { once: true });
  });
  try {
    await relay(client, process, process.exitCode);
    const code = await Promise.race([process.exitCode, gone]);
    return code === undefined ? { kind: 'success' } : exitOutcome(code, command);
  } finally {
    destroyStreams(process);
  }
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
