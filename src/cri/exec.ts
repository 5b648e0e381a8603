import { invalidArgument } from '../base/errors.js';
import type { ExecRequest__Output } from '../gen/runtime/v1/ExecRequest.js';
import type { ExecResponse } from '../gen/runtime/v1/ExecResponse.js';
import { requireRunning } from '../lifecycle/container-running.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { checkStdio } from './check-stdio.js';

export const exec = async (
  runtime: Pick<Runtime, 'containers' | 'streamUrls'>,
  request: ExecRequest__Output,
): Promise<ExecResponse> => {
  if (request.cmd.length === 0) throw invalidArgument('missing cmd: Exec needs a command');
  const stdio = checkStdio(request);
  const container = runtime.containers.require(request.containerId);
  requireRunning(container);
  return {
    url: runtime.streamUrls.urlFor({ kind: 'exec', containerId: container.id, command: request.cmd, ...stdio }),
  };
};
