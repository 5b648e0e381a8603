import type { Config } from '../base/config.js';
import type { ListContainersResponse__Output } from '../gen/runtime/v1/ListContainersResponse.js';
import type { ListPodSandboxResponse__Output } from '../gen/runtime/v1/ListPodSandboxResponse.js';
import { type Call, withDaemon } from './client.js';

/** What the daemon takes besides the grace period. */
const MARGIN_MS = 30_000;

/**
 * Stops every pod that runs, all at once, its containers with a grace period: what a node does before it shuts down, for nobody else
 * would end the containers there. Resolves to the exit status: 1 when something still runs.
 */
export const runStopPods = (config: Pick<Config, 'socket'>, graceSeconds: number): Promise<number> =>
  withDaemon(config, graceSeconds * 1000 + MARGIN_MS, async (call) => {
    const { items } = await call<ListPodSandboxResponse__Output>('ListPodSandbox', {
      filter: { state: { state: 'SANDBOX_READY' } },
    });
    const outcomes = await Promise.allSettled(items.map(({ id }) => stopPod(call, id, graceSeconds)));
    const failures = outcomes.filter((outcome) => outcome.status === 'rejected');
    for (const { reason } of failures) process.stderr.write(`jangada: ${(reason as Error).message}\n`);
    process.stdout.write(`${items.length - failures.length} of ${items.length} pods stopped\n`);
    return failures.length === 0 ? 0 : 1;
  });

const stopPod = async (call: Call, podSandboxId: string, timeout: number): Promise<void> => {
  const { containers } = await call<ListContainersResponse__Output>('ListContainers', {
    filter: { podSandboxId, state: { state: 'CONTAINER_RUNNING' } },
  });
  // What does not end in time is killed with its pod.
  await Promise.allSettled(containers.map(({ id }) => call('StopContainer', { containerId: id, timeout })));
  await call('StopPodSandbox', { podSandboxId });
};
