import { invalidArgument } from '../base/errors.js';
import type { RemovePodSandboxRequest__Output } from '../gen/runtime/v1/RemovePodSandboxRequest.js';
import type { RemovePodSandboxResponse } from '../gen/runtime/v1/RemovePodSandboxResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { removeSandbox } from '../lifecycle/sandbox-remove.js';

/** Idempotent: an unknown sandbox is a removed one (api.proto, RemovePodSandbox). */
export const removePodSandbox = async (
  runtime: Runtime,
  request: RemovePodSandboxRequest__Output,
): Promise<RemovePodSandboxResponse> => {
  if (request.podSandboxId === '')
    throw invalidArgument('missing pod_sandbox_id: RemovePodSandbox must name a sandbox');
  const sandbox = runtime.sandboxes.find(request.podSandboxId);
  if (sandbox) await removeSandbox(runtime, sandbox.id);
  return {};
};
