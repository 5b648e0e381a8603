import type { Config } from '../base/config.js';
import type { ContainerEventResponse__Output } from '../gen/runtime/v1/ContainerEventResponse.js';
import { followDaemon } from './client.js';

/** Prints what becomes of containers and pods, a line each, until the daemon or who reads ends it. */
export const runEvents = async (config: Pick<Config, 'socket'>, output: 'table' | 'json'): Promise<void> => {
  // Who reads has seen enough (head).
  process.stdout.on('error', () => process.exit());
  for await (const event of followDaemon<ContainerEventResponse__Output>(config, 'GetContainerEvents', {}))
    process.stdout.write(`${output === 'json' ? JSON.stringify(shown(event)) : lineOf(shown(event))}\n`);
};

interface Shown {
  readonly at: string;
  readonly what: string;
  readonly namespace: string;
  readonly pod: string;
  /** Empty: the pod's own. */
  readonly container: string;
  readonly id: string;
  readonly exitCode?: number;
  readonly reason?: string;
}

/** An event of a pod bears the ID of its sandbox. */
export const shown = (event: ContainerEventResponse__Output): Shown => {
  const { containerId, containerEventType, createdAt, podSandboxStatus, containersStatuses } = event;
  const status = containersStatuses.find(({ id }) => id === containerId);
  const ended = containerEventType === 'CONTAINER_STOPPED_EVENT' && status?.state === 'CONTAINER_EXITED';
  return {
    at: new Date(Number(BigInt(createdAt) / 1_000_000n)).toISOString(),
    what: containerEventType.replace(/^CONTAINER_|_EVENT$/g, '').toLowerCase(),
    namespace: podSandboxStatus?.metadata?.namespace ?? '',
    pod: podSandboxStatus?.metadata?.name ?? '',
    container: status?.metadata?.name ?? '',
    id: containerId,
    ...(ended && { exitCode: status.exitCode, reason: status.reason }),
  };
};

const lineOf = ({ at, what, namespace, pod, container, id, exitCode, reason }: Shown): string =>
  [
    at,
    what.padEnd(8),
    id.slice(0, 12),
    [namespace, pod, container].filter(Boolean).join('/'),
    exitCode === undefined ? '' : `exit code ${exitCode} (${reason})`,
  ]
    .join('  ')
    .trimEnd();
