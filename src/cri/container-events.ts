import type { ContainerEventResponse } from '../gen/runtime/v1/ContainerEventResponse.js';
import type { GetEventsRequest__Output } from '../gen/runtime/v1/GetEventsRequest.js';
import type { PodEvent } from '../lifecycle/events.js';
import type { Runtime } from '../lifecycle/runtime.js';
import { newestFirst } from '../store/newest-first.js';
import { containerStatusOf } from './container-status.js';
import { sandboxStatusOf } from './sandbox-status.js';

/** Every event carries the whole pod, as PodSandboxStatus would answer it, so that the kubelet's evented PLEG need not ask. */
export const getContainerEvents = (
  runtime: Pick<Runtime, 'events'>,
  _request: GetEventsRequest__Output,
  signal: AbortSignal,
): AsyncIterable<ContainerEventResponse> => shaped(runtime.events.listen(signal));

async function* shaped(events: AsyncIterable<PodEvent>): AsyncGenerator<ContainerEventResponse> {
  for await (const event of events) yield responseOf(event);
}

const responseOf = ({ id, type, createdAt, sandbox, containers }: PodEvent): ContainerEventResponse => ({
  containerId: id,
  containerEventType: type,
  createdAt,
  podSandboxStatus: sandbox ? sandboxStatusOf(sandbox) : null,
  containersStatuses: newestFirst(containers).map(containerStatusOf),
});
