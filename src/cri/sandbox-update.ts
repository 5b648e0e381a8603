import type { UpdatePodSandboxResourcesRequest__Output } from '../gen/runtime/v1/UpdatePodSandboxResourcesRequest.js';
import type { UpdatePodSandboxResourcesResponse } from '../gen/runtime/v1/UpdatePodSandboxResourcesResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { updateSandbox } from '../lifecycle/sandbox-update.js';

export const updatePodSandboxResources = async (
  runtime: Pick<Runtime, 'sandboxes' | 'turns' | 'host' | 'extension'>,
  { podSandboxId, overhead, resources }: UpdatePodSandboxResourcesRequest__Output,
): Promise<UpdatePodSandboxResourcesResponse> => {
  await updateSandbox(runtime, runtime.sandboxes.require(podSandboxId).id, { overhead, resources });
  return {};
};
