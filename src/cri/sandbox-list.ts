import { inSlices } from '../base/in-slices.js';
import type { ListPodSandboxRequest__Output } from '../gen/runtime/v1/ListPodSandboxRequest.js';
import type { ListPodSandboxResponse } from '../gen/runtime/v1/ListPodSandboxResponse.js';
import type { PodSandbox } from '../gen/runtime/v1/PodSandbox.js';
import type { PodSandboxFilter__Output } from '../gen/runtime/v1/PodSandboxFilter.js';
import type { StreamPodSandboxesRequest__Output } from '../gen/runtime/v1/StreamPodSandboxesRequest.js';
import type { StreamPodSandboxesResponse } from '../gen/runtime/v1/StreamPodSandboxesResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { newestFirst } from '../store/newest-first.js';
import { type Sandbox, sandboxState } from '../store/sandbox.js';
import { isVisible } from '../store/visible.js';
import { inChunks } from './in-chunks.js';
import { matchesLabels } from './label-selector.js';
import { perRecord } from './per-record.js';

type Parts = Pick<Runtime, 'sandboxes'>;

export const listPodSandbox = async (
  runtime: Parts,
  { filter }: ListPodSandboxRequest__Output,
): Promise<ListPodSandboxResponse> => ({ items: await inSlices(matching(runtime, filter), itemOf) });

export const streamPodSandboxes = (
  runtime: Parts,
  { filter }: StreamPodSandboxesRequest__Output,
): AsyncIterable<StreamPodSandboxesResponse> =>
  inChunks(matching(runtime, filter), (chunk) => ({ podSandboxes: chunk.map(itemOf) }));

const matching = (runtime: Parts, filter: PodSandboxFilter__Output | null): Sandbox[] => {
  const candidates = filter?.id ? [runtime.sandboxes.find(filter.id)] : runtime.sandboxes.list();
  const matches = candidates.filter(
    (sandbox): sandbox is Sandbox =>
      sandbox !== undefined &&
      isVisible(sandbox) &&
      (!filter?.state || filter.state.state === sandboxState(sandbox)) &&
      matchesLabels(sandbox.config.labels, filter?.labelSelector),
  );
  return newestFirst(matches);
};

const itemOf = perRecord(
  (sandbox: Sandbox): PodSandbox => ({
    id: sandbox.id,
    metadata: sandbox.config.metadata,
    state: sandboxState(sandbox),
    createdAt: sandbox.createdAt,
    labels: sandbox.config.labels,
    annotations: sandbox.config.annotations,
    runtimeHandler: sandbox.runtimeHandler,
  }),
);
