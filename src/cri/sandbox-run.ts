import { invalidArgument } from '../errors.js';
import type { RunPodSandboxRequest__Output } from '../gen/runtime/v1/RunPodSandboxRequest.js';
import type { RunPodSandboxResponse } from '../gen/runtime/v1/RunPodSandboxResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { runSandbox } from '../lifecycle/sandbox-run.js';
import { podUserNamespace } from '../oci/userns.js';
import { checkSandboxConfig } from './check.js';
import { checkHandler } from './runtime-handler.js';

export const runPodSandbox = async (
  runtime: Runtime,
  request: RunPodSandboxRequest__Output,
): Promise<RunPodSandboxResponse> => {
  checkHandler(request.runtimeHandler);
  const config = checkSandboxConfig(request.config);
  const namespaces = config.linux?.securityContext?.namespaceOptions;
  podUserNamespace(namespaces);
  if (
    namespaces &&
    (namespaces.network === 'CONTAINER' ||
      namespaces.network === 'TARGET' ||
      namespaces.ipc === 'CONTAINER' ||
      namespaces.ipc === 'TARGET')
  ) {
    throw invalidArgument('bad namespace mode: network and ipc of a sandbox must be POD or NODE');
  }
  return { podSandboxId: await runSandbox(runtime, config, request.runtimeHandler) };
};
