import type { ContainerStatsFilter__Output } from '../gen/runtime/v1/ContainerStatsFilter.js';
import type { ListContainerStatsRequest__Output } from '../gen/runtime/v1/ListContainerStatsRequest.js';
import type { ListContainerStatsResponse } from '../gen/runtime/v1/ListContainerStatsResponse.js';
import type { StreamContainerStatsRequest__Output } from '../gen/runtime/v1/StreamContainerStatsRequest.js';
import type { StreamContainerStatsResponse } from '../gen/runtime/v1/StreamContainerStatsResponse.js';
import type { ContainerStatsReader } from '../stats/container-stats.js';
import { inSlices } from '../base/in-slices.js';
import type { Container } from '../store/container.js';
import type { ObjectStore } from '../store/object-store.js';
import type { Sandbox } from '../store/sandbox.js';
import { inChunks } from './in-chunks.js';
import { matchesLabels } from './label-selector.js';
import { isMeasured } from './measured.js';

interface Runtime {
  readonly containers: Pick<ObjectStore<Container>, 'find' | 'list'>;
  readonly sandboxes: Pick<ObjectStore<Sandbox>, 'find'>;
  readonly containerStats: Pick<ContainerStatsReader, 'read'>;
}

export const listContainerStats = async (
  runtime: Runtime,
  { filter }: ListContainerStatsRequest__Output,
): Promise<ListContainerStatsResponse> => ({
  stats: await inSlices(matching(runtime, filter), (container) => runtime.containerStats.read(container)),
});

export const streamContainerStats = (
  runtime: Runtime,
  { filter }: StreamContainerStatsRequest__Output,
): AsyncIterable<StreamContainerStatsResponse> =>
  inChunks(matching(runtime, filter), async (chunk) => ({
    containerStats: await inSlices(chunk, (container) => runtime.containerStats.read(container)),
  }));

const matching = ({ containers, sandboxes }: Runtime, filter: ContainerStatsFilter__Output | null): Container[] => {
  const candidates = filter?.id ? [containers.find(filter.id) ?? []].flat() : containers.list();
  // An unknown pod matches nothing, not everything.
  const sandboxId = filter?.podSandboxId ? (sandboxes.find(filter.podSandboxId)?.id ?? 'none') : undefined;
  return candidates.filter(
    (container) =>
      isMeasured(container) &&
      (sandboxId === undefined || container.sandboxId === sandboxId) &&
      matchesLabels(container.config.labels, filter?.labelSelector),
  );
};
