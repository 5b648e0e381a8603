import type { ListContainersResponse__Output } from '../gen/runtime/v1/ListContainersResponse.js';
import type { ListPodSandboxResponse__Output } from '../gen/runtime/v1/ListPodSandboxResponse.js';
import type { Call } from './client.js';

export interface NodeLists {
  readonly pods: ListPodSandboxResponse__Output['items'];
  readonly containers: ListContainersResponse__Output['containers'];
}

/** All pods and containers of the node. */
export const listNode = async (call: Call): Promise<NodeLists> => {
  const [{ items }, { containers }] = await Promise.all([
    call<ListPodSandboxResponse__Output>('ListPodSandbox', {}),
    call<ListContainersResponse__Output>('ListContainers', {}),
  ]);
  return { pods: items, containers };
};
