import type { ListPodSandboxRequest__Output } from '../gen/runtime/v1/ListPodSandboxRequest.js';
import type { ListPodSandboxResponse } from '../gen/runtime/v1/ListPodSandboxResponse.js';
import type { PodSandbox } from '../gen/runtime/v1/PodSandbox.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { type Sandbox, isVisible, sandboxState } from '../store/sandbox.js';
import { matchesLabels } from './label-selector.js';

export const listPodSandbox = async (
  runtime: Pick<Runtime, 'sandboxes'>,
  { filter }: ListPodSandboxRequest__Output,
): Promise<ListPodSandboxResponse> => {
  const candidates = filter?.id ? [runtime.sandboxes.find(filter.id)] : runtime.sandboxes.list();
  const matches = (sandbox: Sandbox | undefined): sandbox is Sandbox =>
    sandbox !== undefined &&
    isVisible(sandbox) &&
    (!filter?.state || filter.state.state === sandboxState(sandbox)) &&
    matchesLabels(sandbox.config.labels, filter?.labelSelector);
  return { items: candidates.filter(matches).map(itemOf) };
};

const itemOf = (sandbox: Sandbox): PodSandbox => ({
  id: sandbox.id,
  metadata: sandbox.config.metadata,
  state: sandboxState(sandbox),
  createdAt: sandbox.createdAt,
  labels: sandbox.config.labels,
  annotations: sandbox.config.annotations,
  runtimeHandler: sandbox.runtimeHandler,
});
