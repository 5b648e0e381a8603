import { invalidArgument } from '../base/errors.js';
import type { CreateContainerRequest__Output } from '../gen/runtime/v1/CreateContainerRequest.js';
import type { CreateContainerResponse } from '../gen/runtime/v1/CreateContainerResponse.js';
import { createContainer } from '../lifecycle/container-create.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { checkContainerConfig, checkPrivilege } from './check.js';

export const createContainerRpc = async (
  runtime: Runtime,
  request: CreateContainerRequest__Output,
): Promise<CreateContainerResponse> => {
  const config = checkContainerConfig(request.config);
  if (request.podSandboxId === '') throw invalidArgument('missing pod_sandbox_id: CreateContainer must name a sandbox');
  const sandbox = runtime.sandboxes.require(request.podSandboxId);
  // The kubelet says of the pod as it is now: an ephemeral container may be its first privileged one.
  checkPrivilege(config, request.sandboxConfig ?? sandbox.config);
  for (const image of [config.image, ...config.mounts.map((mount) => mount.image)])
    if (image) runtime.handlers.require(image.runtimeHandler);
  return { containerId: await createContainer(runtime, sandbox, config) };
};
