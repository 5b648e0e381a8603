import type { ListPodSandboxStatsRequest__Output } from '../gen/runtime/v1/ListPodSandboxStatsRequest.js';
import type { ListPodSandboxStatsResponse } from '../gen/runtime/v1/ListPodSandboxStatsResponse.js';
import type { PodSandboxStats } from '../gen/runtime/v1/PodSandboxStats.js';
import type { PodSandboxStatsFilter__Output } from '../gen/runtime/v1/PodSandboxStatsFilter.js';
import type { StreamPodSandboxStatsRequest__Output } from '../gen/runtime/v1/StreamPodSandboxStatsRequest.js';
import type { StreamPodSandboxStatsResponse } from '../gen/runtime/v1/StreamPodSandboxStatsResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { inSlices, Slices } from '../base/in-slices.js';
import type { Sandbox } from '../store/sandbox.js';
import { inChunks } from './in-chunks.js';
import { matchesLabels } from './label-selector.js';
import { bySandbox, isMeasuredSandbox } from './measured.js';

type Parts = Pick<Runtime, 'sandboxes' | 'containers' | 'containerStats' | 'sandboxStats'>;

export const listPodSandboxStats = async (
  runtime: Parts,
  { filter }: ListPodSandboxStatsRequest__Output,
): Promise<ListPodSandboxStatsResponse> => ({ stats: await readAll(runtime, matching(runtime, filter)) });

export const streamPodSandboxStats = (
  runtime: Parts,
  { filter }: StreamPodSandboxStatsRequest__Output,
): AsyncIterable<StreamPodSandboxStatsResponse> =>
  inChunks(matching(runtime, filter), async (chunk) => ({ podSandboxStats: await readAll(runtime, chunk) }));

const matching = ({ sandboxes }: Parts, filter: PodSandboxStatsFilter__Output | null): Sandbox[] => {
  const candidates = filter?.id ? [sandboxes.find(filter.id) ?? []].flat() : sandboxes.list();
  return candidates.filter(
    (sandbox) => isMeasuredSandbox(sandbox) && matchesLabels(sandbox.config.labels, filter?.labelSelector),
  );
};

const readAll = ({ containers, containerStats, sandboxStats }: Parts, chunk: readonly Sandbox[]) => {
  const containersOf = bySandbox(containers.list());
  const slices = new Slices();
  const read = async (sandbox: Sandbox): Promise<PodSandboxStats> => {
    const stats = await inSlices(containersOf(sandbox.id), (container) => containerStats.read(container), slices);
    return sandboxStats.read(sandbox, stats);
  };
  return inSlices(chunk, read, slices);
};
