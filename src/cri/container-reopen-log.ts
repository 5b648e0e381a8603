import type { ReopenContainerLogRequest__Output } from '../gen/runtime/v1/ReopenContainerLogRequest.js';
import type { ReopenContainerLogResponse } from '../gen/runtime/v1/ReopenContainerLogResponse.js';
import { reopenLog } from '../lifecycle/container-reopen-log.js';
import type { Runtime } from '../lifecycle/runtime.js';

export const reopenContainerLog = async (
  runtime: Runtime,
  request: ReopenContainerLogRequest__Output,
): Promise<ReopenContainerLogResponse> => {
  await reopenLog(runtime, runtime.containers.require(request.containerId));
  return {};
};
