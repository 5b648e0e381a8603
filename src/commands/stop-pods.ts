import { Client, credentials, Metadata, type ServiceDefinition } from '@grpc/grpc-js';
import type { Config } from '../base/config.js';
import type { ListContainersResponse__Output } from '../gen/runtime/v1/ListContainersResponse.js';
import type { ListPodSandboxResponse__Output } from '../gen/runtime/v1/ListPodSandboxResponse.js';
import { loadCri } from '../grpc/proto.js';

/** What the daemon takes besides the grace period. */
const MARGIN_MS = 30_000;

type Call = <Reply>(name: string, request: object) => Promise<Reply>;

/**
 * Stops every pod that runs, all at once, its containers with a grace period: what a node does before it shuts down, for nobody else
 * would end the containers there. Resolves to the exit status: 1 when something still runs.
 */
export const runStopPods = async (config: Pick<Config, 'socket'>, graceSeconds: number): Promise<number> => {
  const client = new Client(`unix:${config.socket}`, credentials.createInsecure());
  const call = caller(client, loadCri().runtime, graceSeconds * 1000 + MARGIN_MS);
  try {
    const { items } = await call<ListPodSandboxResponse__Output>('ListPodSandbox', {
      filter: { state: { state: 'SANDBOX_READY' } },
    });
    const outcomes = await Promise.allSettled(items.map(({ id }) => stopPod(call, id, graceSeconds)));
    const failures = outcomes.filter((outcome) => outcome.status === 'rejected');
    for (const { reason } of failures) process.stderr.write(`jangada: ${(reason as Error).message}\n`);
    process.stdout.write(`${items.length - failures.length} of ${items.length} pods stopped\n`);
    return failures.length === 0 ? 0 : 1;
  } finally {
    client.close();
  }
};

const stopPod = async (call: Call, podSandboxId: string, timeout: number): Promise<void> => {
  const { containers } = await call<ListContainersResponse__Output>('ListContainers', {
    filter: { podSandboxId, state: { state: 'CONTAINER_RUNNING' } },
  });
  // What does not end in time is killed with its pod.
  await Promise.allSettled(containers.map(({ id }) => call('StopContainer', { containerId: id, timeout })));
  await call('StopPodSandbox', { podSandboxId });
};

const caller =
  (client: Client, service: ServiceDefinition, deadlineMs: number): Call =>
  (name, request) => {
    const method = service[name];
    if (!method) throw new Error(`no such RPC: ${name}`);
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + deadlineMs };
      client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new Metadata(),
        options,
        (error, reply) => (error ? reject(error) : resolve(reply)),
      );
    });
  };
