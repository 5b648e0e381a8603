import type { ListPodSandboxMetricsRequest__Output } from '../gen/runtime/v1/ListPodSandboxMetricsRequest.js';
import type { ListPodSandboxMetricsResponse } from '../gen/runtime/v1/ListPodSandboxMetricsResponse.js';
import type { PodSandboxMetrics } from '../gen/runtime/v1/PodSandboxMetrics.js';
import type { StreamPodSandboxMetricsRequest__Output } from '../gen/runtime/v1/StreamPodSandboxMetricsRequest.js';
import type { StreamPodSandboxMetricsResponse } from '../gen/runtime/v1/StreamPodSandboxMetricsResponse.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { inSlices, Slices } from '../base/in-slices.js';
import type { Sandbox } from '../store/sandbox.js';
import { inChunks } from './in-chunks.js';
import { bySandbox, isMeasuredSandbox } from './measured.js';

type Parts = Pick<Runtime, 'sandboxes' | 'containers' | 'podMetrics'>;

export const listPodSandboxMetrics = async (
  runtime: Parts,
  _request: ListPodSandboxMetricsRequest__Output,
): Promise<ListPodSandboxMetricsResponse> => ({ podMetrics: await readAll(runtime, measured(runtime)) });

export const streamPodSandboxMetrics = (
  runtime: Parts,
  _request: StreamPodSandboxMetricsRequest__Output,
): AsyncIterable<StreamPodSandboxMetricsResponse> =>
  inChunks(measured(runtime), async (chunk) => ({ podSandboxMetrics: await readAll(runtime, chunk) }));

const measured = ({ sandboxes }: Parts): Sandbox[] => sandboxes.list().filter(isMeasuredSandbox);

const readAll = async ({ containers, podMetrics }: Parts, chunk: readonly Sandbox[]): Promise<PodSandboxMetrics[]> => {
  const containersOf = bySandbox(containers.list());
  await podMetrics.prepare(chunk.flatMap(({ id }) => containersOf(id)));
  const slices = new Slices();
  return await inSlices(chunk, (sandbox) => podMetrics.read(sandbox, containersOf(sandbox.id), slices), slices);
};
