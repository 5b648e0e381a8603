import type { StartContainerRequest__Output } from '../gen/runtime/v1/StartContainerRequest.js';
import type { StartContainerResponse } from '../gen/runtime/v1/StartContainerResponse.js';
import { startContainer } from '../lifecycle/container-start.js';
import type { Runtime } from '../lifecycle/runtime.js';

export const startContainerRpc = async (
  runtime: Runtime,
  request: StartContainerRequest__Output,
  signal: AbortSignal,
): Promise<StartContainerResponse> => {
  await startContainer(runtime, runtime.containers.require(request.containerId).id, signal);
  return {};
};
