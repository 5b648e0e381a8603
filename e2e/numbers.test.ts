import { status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import type { ContainerConfig } from '../src/gen/runtime/v1/ContainerConfig.js';
import type { PodSandboxConfig } from '../src/gen/runtime/v1/PodSandboxConfig.js';
import { edges, numericFields, withNumber } from './harness/numeric-fields.js';
import { type Node, startNode } from './harness/node.js';
import { containerConfig, Pod, podConfig } from './harness/pod.js';

let node: Node;
let pod: Pod;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
});

/** A number is taken, or refused as the client's mistake, as too little to start in, or as what this node cannot do. */
const ANSWERS = [
  status.OK,
  status.INVALID_ARGUMENT,
  status.RESOURCE_EXHAUSTED,
  status.FAILED_PRECONDITION,
  status.UNIMPLEMENTED,
];

const codeOf = async (call: Promise<unknown>): Promise<{ code: number; details: string }> => {
  try {
    await call;
    return { code: status.OK, details: '' };
  } catch (error) {
    return error as { code: number; details: string };
  }
};

/** Sends each number of each field of a message, in a request of its own. */
const sendAll = async (t: Test, type: string, send: (field: string, change: object) => Promise<unknown>) => {
  const fields = numericFields(type);
  t.ok(fields.length > 5, `${type} has numbers`);
  for (const field of fields)
    for (const number of edges(field.type)) {
      const what = `${field.path.join('.')} = ${number}`;
      const { code, details } = await codeOf(send(what, withNumber(field, number)));
      if (!ANSWERS.includes(code)) t.fail(`${what}: ${code} ${details}`);
    }
};

t.test('every number of a container', async (t) => {
  let made = 0;
  await sendAll(t, 'ContainerConfig', async (what, change) => {
    const base = containerConfig(node.busybox, { metadata: { name: `n${++made}`, attempt: 0 } });
    const config = merge(base, change) as ContainerConfig;
    const { containerId } = await node.daemon.cri.createContainer({
      podSandboxId: pod.id,
      config,
      sandboxConfig: pod.config,
    });
    t.ok(await node.daemon.cri.containerStatus({ containerId, verbose: true }), what);
    await node.daemon.cri.removeContainer({ containerId });
  });
});

t.test('every number of a pod', async (t) => {
  await sendAll(t, 'PodSandboxConfig', async (_what, change) => {
    const config = merge(podConfig(node.daemon), change) as PodSandboxConfig;
    const { podSandboxId } = await node.daemon.cri.runPodSandbox({ config, runtimeHandler: '' });
    await node.daemon.cri.stopPodSandbox({ podSandboxId });
    await node.daemon.cri.removePodSandbox({ podSandboxId });
  });
});

t.test('every number of an update, of a container and of a pod', async (t) => {
  const containerId = await pod.start(node.busybox);
  await sendAll(t, 'LinuxContainerResources', (_what, change) =>
    node.daemon.cri.updateContainerResources({ containerId, linux: change }),
  );
  await sendAll(t, 'LinuxContainerResources', (_what, change) =>
    node.daemon.cri.updatePodSandboxResources({ podSandboxId: pod.id, overhead: change, resources: change }),
  );
  await node.daemon.cri.removeContainer({ containerId });
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));

const merge = (base: object, over: object): object => {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key];
    merged[key] = isObject(old) && isObject(value) ? merge(old, value) : value;
  }
  return merged;
};

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
