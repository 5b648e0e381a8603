import { invalidArgument } from '../base/errors.js';
import type { UpdateContainerResourcesRequest__Output } from '../gen/runtime/v1/UpdateContainerResourcesRequest.js';
import type { UpdateContainerResourcesResponse } from '../gen/runtime/v1/UpdateContainerResourcesResponse.js';
import { updateContainer } from '../lifecycle/container-update.js';
import type { Runtime } from '../lifecycle/runtime.js';

export const updateContainerResources = async (
  runtime: Runtime,
  request: UpdateContainerResourcesRequest__Output,
): Promise<UpdateContainerResourcesResponse> => {
  const container = runtime.containers.require(request.containerId);
  if (!request.linux) throw invalidArgument('missing linux: UpdateContainerResources needs Linux resources here');
  await updateContainer(runtime, container, request.linux);
  return {};
};
