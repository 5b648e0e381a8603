import { invalidArgument } from '../base/errors.js';
import type { RemoveContainerRequest__Output } from '../gen/runtime/v1/RemoveContainerRequest.js';
import type { RemoveContainerResponse } from '../gen/runtime/v1/RemoveContainerResponse.js';
import { removeContainer } from '../lifecycle/container-remove.js';
import type { Runtime } from '../lifecycle/runtime.js';

/** Idempotent: an unknown container is a removed one (api.proto, RemoveContainer). */
export const removeContainerRpc = async (
  runtime: Runtime,
  request: RemoveContainerRequest__Output,
): Promise<RemoveContainerResponse> => {
  if (request.containerId === '') throw invalidArgument('missing container_id: RemoveContainer must name a container');
  const container = runtime.containers.find(request.containerId);
  if (container) await removeContainer(runtime, container.id);
  return {};
};
