import { invalidArgument } from '../base/errors.js';
import type { StopPodSandboxRequest__Output } from '../gen/runtime/v1/StopPodSandboxRequest.js';
import type { StopPodSandboxResponse } from '../gen/runtime/v1/StopPodSandboxResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { stopSandbox } from '../lifecycle/sandbox-stop.js';

/** Idempotent: an unknown sandbox is a stopped one (api.proto, StopPodSandbox). */
export const stopPodSandbox = async (
  runtime: Runtime,
  request: StopPodSandboxRequest__Output,
): Promise<StopPodSandboxResponse> => {
  if (request.podSandboxId === '') throw invalidArgument('missing pod_sandbox_id: StopPodSandbox must name a sandbox');
  const sandbox = runtime.sandboxes.find(request.podSandboxId);
  if (sandbox) await stopSandbox(runtime, sandbox.id);
  return {};
};
