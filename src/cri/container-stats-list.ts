import type { ListContainerStatsRequest__Output } from '../gen/runtime/v1/ListContainerStatsRequest.js';
import type { ListContainerStatsResponse } from '../gen/runtime/v1/ListContainerStatsResponse.js';
import type { ContainerStatsReader } from '../stats/container-stats.js';
import { type Container, containerState } from '../store/container.js';
import type { ObjectStore } from '../store/object-store.js';
import type { Sandbox } from '../store/sandbox.js';

interface Runtime {
  readonly containers: Pick<ObjectStore<Container>, 'find' | 'list'>;
  readonly sandboxes: Pick<ObjectStore<Sandbox>, 'find'>;
  readonly containerStats: Pick<ContainerStatsReader, 'readAll'>;
}

/** Statistics of the containers that are there to be measured: an exited one uses nothing any more. */
export const listContainerStats = async (
  runtime: Runtime,
  { filter }: ListContainerStatsRequest__Output,
): Promise<ListContainerStatsResponse> => {
  const measured = candidates(runtime, filter?.id ?? '')
    .filter((container) => container.stage === 'live' && containerState(container) !== 'CONTAINER_EXITED')
    .filter(inSandbox(runtime, filter?.podSandboxId ?? ''))
    .filter(({ config }) =>
      Object.entries(filter?.labelSelector ?? {}).every(([key, value]) => config.labels[key] === value),
    );
  return { stats: await runtime.containerStats.readAll(measured) };
};

const candidates = ({ containers }: Runtime, id: string): Container[] => {
  if (id === '') return containers.list();
  const found = containers.find(id);
  return found ? [found] : [];
};

const inSandbox = ({ sandboxes }: Runtime, id: string): ((container: Container) => boolean) => {
  if (id === '') return () => true;
  const sandbox = sandboxes.find(id);
  return ({ sandboxId }) => sandboxId === sandbox?.id;
};
