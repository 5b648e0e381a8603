import { invalidArgument } from '../base/errors.js';
import type { ExecSyncRequest__Output } from '../gen/runtime/v1/ExecSyncRequest.js';
import type { ExecSyncResponse } from '../gen/runtime/v1/ExecSyncResponse.js';
import { execSync } from '../lifecycle/container-exec.js';
import type { Runtime } from '../lifecycle/runtime.js';

export const execSyncRpc = async (
  runtime: Runtime,
  request: ExecSyncRequest__Output,
  signal: AbortSignal,
): Promise<ExecSyncResponse> => {
  if (request.cmd.length === 0) throw invalidArgument('missing cmd: ExecSync needs a command');
  const container = runtime.containers.require(request.containerId);
  return execSync(runtime, container, request.cmd, Number(request.timeout), signal);
};
