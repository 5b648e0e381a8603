import { invalidArgument } from '../base/errors.js';
import type { StopContainerRequest__Output } from '../gen/runtime/v1/StopContainerRequest.js';
import type { StopContainerResponse } from '../gen/runtime/v1/StopContainerResponse.js';
import { stopContainer } from '../lifecycle/container-stop.js';
import type { Runtime } from '../lifecycle/runtime.js';

/** Idempotent: an unknown container is a stopped one (api.proto, StopContainer). */
export const stopContainerRpc = async (
  runtime: Runtime,
  request: StopContainerRequest__Output,
): Promise<StopContainerResponse> => {
  if (request.containerId === '') throw invalidArgument('missing container_id: StopContainer must name a container');
  const container = runtime.containers.find(request.containerId);
  if (container) await stopContainer(runtime, container, Number(request.timeout));
  return {};
};
