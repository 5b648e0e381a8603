import { invalidArgument } from '../base/errors.js';
import type { RunPodSandboxRequest__Output } from '../gen/runtime/v1/RunPodSandboxRequest.js';
import type { RunPodSandboxResponse } from '../gen/runtime/v1/RunPodSandboxResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { runSandbox } from '../lifecycle/sandbox-run.js';
import { podUserNamespace } from '../oci/userns.js';
import { checkSandboxConfig } from './check.js';

export const runPodSandbox = async (
  runtime: Runtime,
  request: RunPodSandboxRequest__Output,
): Promise<RunPodSandboxResponse> => {
  const handler = runtime.handlers.require(request.runtimeHandler);
  const config = checkSandboxConfig(request.config);
  if (podUserNamespace(config.linux?.securityContext?.namespaceOptions) && !handler.userNamespaces)
    throw invalidArgument(
      `runtime handler "${handler.name}" has no user namespaces (${handler.version}): userns_options of the pod; Status tells which handlers do`,
    );
  return { podSandboxId: await runSandbox(runtime, config, request.runtimeHandler) };
};
