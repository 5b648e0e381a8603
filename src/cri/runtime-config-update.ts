import type { UpdateRuntimeConfigRequest__Output } from '../gen/runtime/v1/UpdateRuntimeConfigRequest.js';
import type { UpdateRuntimeConfigResponse } from '../gen/runtime/v1/UpdateRuntimeConfigResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { updateRuntimeConfig } from '../lifecycle/runtime-config-update.js';

/** What the kubelet tells the runtime: the addresses of this node's pods. */
export const updateRuntimeConfigRpc = async (
  runtime: Pick<Runtime, 'config' | 'log'>,
  { runtimeConfig }: UpdateRuntimeConfigRequest__Output,
): Promise<UpdateRuntimeConfigResponse> => {
  await updateRuntimeConfig(runtime, runtimeConfig?.networkConfig?.podCidr ?? '');
  return {};
};
