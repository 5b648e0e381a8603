import { inSlices } from '../base/in-slices.js';
import type { Container as Item } from '../gen/runtime/v1/Container.js';
import type { ContainerFilter__Output } from '../gen/runtime/v1/ContainerFilter.js';
import type { ListContainersRequest__Output } from '../gen/runtime/v1/ListContainersRequest.js';
import type { ListContainersResponse } from '../gen/runtime/v1/ListContainersResponse.js';
import type { StreamContainersRequest__Output } from '../gen/runtime/v1/StreamContainersRequest.js';
import type { StreamContainersResponse } from '../gen/runtime/v1/StreamContainersResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { type Container, containerState, shownImage } from '../store/container.js';
import { newestFirst } from '../store/newest-first.js';
import { isVisible } from '../store/visible.js';
import { inChunks } from './in-chunks.js';
import { matchesLabels } from './label-selector.js';
import { perRecord } from './per-record.js';

type Parts = Pick<Runtime, 'containers' | 'sandboxes'>;

export const listContainers = async (
  runtime: Parts,
  { filter }: ListContainersRequest__Output,
): Promise<ListContainersResponse> => ({ containers: await inSlices(matching(runtime, filter), itemOf) });

export const streamContainers = (
  runtime: Parts,
  { filter }: StreamContainersRequest__Output,
): AsyncIterable<StreamContainersResponse> =>
  inChunks(matching(runtime, filter), (chunk) => ({ containers: chunk.map(itemOf) }));

const matching = (runtime: Parts, filter: ContainerFilter__Output | null): Container[] => {
  const candidates = filter?.id ? [runtime.containers.find(filter.id)] : runtime.containers.list();
  // An unknown pod matches nothing, not everything.
  const sandboxId = filter?.podSandboxId ? (runtime.sandboxes.find(filter.podSandboxId)?.id ?? 'none') : undefined;
  const matches = candidates.filter(
    (container): container is Container =>
      container !== undefined &&
      isVisible(container) &&
      (sandboxId === undefined || container.sandboxId === sandboxId) &&
      (!filter?.state || filter.state.state === containerState(container)) &&
      matchesLabels(container.config.labels, filter?.labelSelector),
  );
  return newestFirst(matches);
};

const itemOf = perRecord(
  (container: Container): Item => ({
    id: container.id,
    podSandboxId: container.sandboxId,
    metadata: container.config.metadata,
    image: shownImage(container),
    imageRef: container.image.ref,
    imageId: container.image.id,
    state: containerState(container),
    createdAt: container.createdAt,
    labels: container.config.labels,
    annotations: container.config.annotations,
  }),
);
