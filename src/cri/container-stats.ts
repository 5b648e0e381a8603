import { notFound } from '../base/errors.js';
import type { ContainerStatsRequest__Output } from '../gen/runtime/v1/ContainerStatsRequest.js';
import type { ContainerStatsResponse } from '../gen/runtime/v1/ContainerStatsResponse.js';
import type { ContainerStatsReader } from '../stats/container-stats.js';
import type { Container } from '../store/container.js';
import type { ObjectStore } from '../store/object-store.js';

interface Runtime {
  readonly containers: Pick<ObjectStore<Container>, 'require'>;
  readonly containerStats: Pick<ContainerStatsReader, 'read'>;
}

/** "If the container does not exist, the call returns an error" (api.proto, ContainerStats). */
export const containerStats = async (
  { containers, containerStats }: Runtime,
  { containerId }: ContainerStatsRequest__Output,
): Promise<ContainerStatsResponse> => {
  const container = containers.require(containerId);
  if (container.stage !== 'live') throw notFound(`no such container: "${containerId}"`);
  return { stats: containerStats.read(container) };
};
