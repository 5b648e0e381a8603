import type { AttachRequest__Output } from '../gen/runtime/v1/AttachRequest.js';
import type { AttachResponse } from '../gen/runtime/v1/AttachResponse.js';
import { requireRunning } from '../lifecycle/container-running.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { checkStdio } from './check-stdio.js';

export const attach = async (
  runtime: Pick<Runtime, 'containers' | 'streamUrls'>,
  request: AttachRequest__Output,
): Promise<AttachResponse> => {
  const stdio = checkStdio(request);
  const container = runtime.containers.require(request.containerId);
  requireRunning(container);
  return { url: runtime.streamUrls.urlFor({ kind: 'attach', containerId: container.id, ...stdio }) };
};
