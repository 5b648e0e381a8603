import { notFound } from '../base/errors.js';
import type { PodSandboxStatsRequest__Output } from '../gen/runtime/v1/PodSandboxStatsRequest.js';
import type { PodSandboxStatsResponse } from '../gen/runtime/v1/PodSandboxStatsResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { isVisible } from '../store/visible.js';
import { bySandbox } from './measured.js';

/** "If the pod sandbox does not exist, the call returns an error" (api.proto, PodSandboxStats). */
export const podSandboxStats = async (
  runtime: Pick<Runtime, 'sandboxes' | 'containers' | 'containerStats' | 'sandboxStats'>,
  { podSandboxId }: PodSandboxStatsRequest__Output,
): Promise<PodSandboxStatsResponse> => {
  const sandbox = runtime.sandboxes.require(podSandboxId);
  if (!isVisible(sandbox)) throw notFound(`no such sandbox: "${podSandboxId}" is still being made`);
  const containers = bySandbox(runtime.containers.list())(sandbox.id);
  const stats = containers.map((container) => runtime.containerStats.read(container));
  return { stats: runtime.sandboxStats.read(sandbox, stats) };
};
