import type { Container as Item } from '../gen/runtime/v1/Container.js';
import type { ListContainersRequest__Output } from '../gen/runtime/v1/ListContainersRequest.js';
import type { ListContainersResponse } from '../gen/runtime/v1/ListContainersResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { type Container, containerState } from '../store/container.js';
import { matchesLabels } from './label-selector.js';

export const listContainers = async (
  runtime: Pick<Runtime, 'containers' | 'sandboxes'>,
  { filter }: ListContainersRequest__Output,
): Promise<ListContainersResponse> => {
  const candidates = filter?.id ? [runtime.containers.find(filter.id)] : runtime.containers.list();
  // An unknown pod matches nothing, not everything.
  const sandboxId = filter?.podSandboxId ? (runtime.sandboxes.find(filter.podSandboxId)?.id ?? 'none') : undefined;
  const matches = (container: Container | undefined): container is Container =>
    container !== undefined &&
    container.stage === 'live' &&
    (sandboxId === undefined || container.sandboxId === sandboxId) &&
    (!filter?.state || filter.state.state === containerState(container)) &&
    matchesLabels(container.config.labels, filter?.labelSelector);
  return { containers: candidates.filter(matches).map(itemOf) };
};

const itemOf = (container: Container): Item => ({
  id: container.id,
  podSandboxId: container.sandboxId,
  metadata: container.config.metadata,
  image: container.config.image,
  imageRef: container.image.ref,
  imageId: container.image.id,
  state: containerState(container),
  createdAt: container.createdAt,
  labels: container.config.labels,
  annotations: container.config.annotations,
});
