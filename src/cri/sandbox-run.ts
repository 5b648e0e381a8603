import { failedPrecondition, invalidArgument } from '../errors.js';
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
  if (handler.path !== undefined && runtime.cgroupDriver.name === 'systemd')
    throw failedPrecondition(
      `runtime handler "${handler.name}" needs the cgroupfs driver: this node's cgroup_driver is "systemd"; use the handler "native"`,
    );
  const config = checkSandboxConfig(request.config);
  const namespaces = config.linux?.securityContext?.namespaceOptions;
  if (podUserNamespace(namespaces) && handler.path !== undefined)
    throw invalidArgument(
      `runtime handler "${handler.name}" has no user namespaces: userns_options of the pod; use the handler "native"`,
    );
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
