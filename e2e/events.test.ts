import http2 from 'node:http2';
import { connect as dial } from 'node:net';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import type { ContainerEventResponse__Output } from '../src/gen/runtime/v1/ContainerEventResponse.js';
import { type Cri, connect } from './harness/client.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';
import { until } from './harness/wait.js';

let node: Node;

t.before(async () => {
  node = await startNode(t);
});

/** Collects events; resolves when the daemon is telling them. */
const listen = async (cri: Cri) => {
  const cancel = new AbortController();
  const events: ContainerEventResponse__Output[] = [];
  let failure: unknown;
  const opened = new Promise<void>((resolve) => {
    const read = async () => {
      const stream = cri.getContainerEvents({}, { deadlineMs: 120_000, signal: cancel.signal, onOpen: resolve });
      for await (const event of stream) events.push(event);
    };
    void read().catch((error: unknown) => (failure = error));
  });
  await opened;
  return {
    events,
    failure: () => failure,
    close: () => cancel.abort(),
    /** The events of these objects, as soon as there are `count`. */
    of: (count: number, ...ids: string[]) =>
      until(`${count} events`, async () => {
        const some = events.filter(({ containerId }) => ids.includes(containerId));
        return some.length >= count && some;
      }),
  };
};

const told = (events: ContainerEventResponse__Output[], names: Record<string, string>): string[] =>
  events.map(({ containerId, containerEventType }) => `${names[containerId]} ${containerEventType.split('_')[1]}`);

t.test('the life of a pod, told to two readers, each event with the whole pod', async (t) => {
  const { cri, socket } = node.daemon;
  const otherCri = connect(socket);
  t.teardown(() => otherCri.close());
  const [reader, other] = [await listen(cri), await listen(otherCri)];
  const pod = await Pod.run(node.daemon, { labels: { app: 'raft' }, annotations: { note: 'n' } });
  const long = await pod.start(node.busybox, { command: ['sleep', '1000'] });
  const short = await pod.start(node.busybox, { command: ['sh', '-c', 'exit 7'] });
  await pod.exited(short);
  await cri.stopContainer({ containerId: long, timeout: '0' });
  await cri.removeContainer({ containerId: short });
  await pod.remove();

  const names = { [pod.id]: 'pod', [long]: 'long', [short]: 'short' };
  const events = await reader.of(12, ...Object.keys(names));
  const names2 = told(events, names);
  t.same(
    names2.filter((name) => !/^(long|short) STOPPED|^short STARTED/.test(name)),
    [
      'pod CREATED',
      'pod STARTED',
      'long CREATED',
      'long STARTED',
      'short CREATED',
      'short DELETED',
      'pod STOPPED',
      'long DELETED',
      'pod DELETED',
    ],
  );
  t.same(
    names2.filter((name) => name.startsWith('short')),
    ['short CREATED', 'short STARTED', 'short STOPPED', 'short DELETED'],
    'a container has started before it has stopped, however short it ran',
  );
  t.equal(names2.length, 12, 'nothing is told twice');
  t.same(await other.of(12, ...Object.keys(names)), events, 'all readers are told the same');

  for (const { podSandboxStatus } of events)
    t.match(podSandboxStatus, {
      id: pod.id,
      metadata: pod.config.metadata as object,
      labels: { app: 'raft' },
      annotations: { note: 'n' },
      linux: { namespaces: { options: { network: 'NODE' } } },
    });
  const times = events.map(({ createdAt }) => BigInt(createdAt));
  t.ok(
    times.every((time, i) => i === 0 || time > (times[i - 1] ?? 0n)),
    'every event is younger than the one before',
  );

  const at = (name: string) => events[names2.indexOf(name)];
  const stopped = at('short STOPPED')?.containersStatuses.find(({ id }) => id === short);
  t.match(stopped, { state: 'CONTAINER_EXITED', exitCode: 7, reason: 'Error' });
  t.same(
    at('short CREATED')
      ?.containersStatuses.map(({ id }) => id)
      .sort(),
    [long, short].sort(),
  );
  t.match(at('long STARTED')?.containersStatuses, [{ id: long, state: 'CONTAINER_RUNNING' }]);
  t.same(
    at('short DELETED')?.containersStatuses.map(({ id }) => id),
    [long],
  );
  t.equal(at('pod STARTED')?.podSandboxStatus?.state, 'SANDBOX_READY');
  t.equal(at('pod STOPPED')?.podSandboxStatus?.state, 'SANDBOX_NOTREADY');
  reader.close();
  other.close();
});

t.test('PodSandboxStatus says what an event says, and when', async (t) => {
  const { cri } = node.daemon;
  const reader = await listen(cri);
  const pod = await Pod.run(node.daemon);
  const id = await pod.start(node.busybox, { command: ['sleep', '1000'] });
  const [, event] = await reader.of(2, id);
  const { status: sandbox, containersStatuses, timestamp } = await cri.podSandboxStatus({ podSandboxId: pod.id });
  t.same(event?.podSandboxStatus, sandbox);
  t.same(event?.containersStatuses, containersStatuses);
  t.ok(BigInt(timestamp) > BigInt(event?.createdAt ?? 0), 'what is asked later is younger');
  reader.close();
  await pod.remove();
});

t.test('nobody waits for a reader that does not read; when it reads at last it has missed nothing', async (t) => {
  const { cri } = node.daemon;
  // Not gRPC's client, which takes messages into its memory whether they are read or not.
  const session = http2.connect('http://localhost', { createConnection: () => dial(node.daemon.socket) });
  t.teardown(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': '/runtime.v1.RuntimeService/GetContainerEvents',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  await new Promise((resolve) => stream.once('response', resolve).end(Buffer.alloc(5)));
  const reader = await listen(cri);
  // Every event carries the pod: a few large annotations fill the stream's window of 64 KiB at once.
  const pod = await Pod.run(node.daemon, { annotations: { large: 'x'.repeat(200_000) } });
  const made = 10;
  for (let i = 0; i < made; i++) {
    const containerId = await pod.create(node.busybox, { command: ['true'] });
    await cri.removeContainer({ containerId });
  }
  // Created, killed, removed: one by one; and the sandbox was created and started.
  const told = 2 + made * 3;
  await until('all events at the one that reads', async () => reader.events.length === told);
  const bytes = reader.events.length * 200_000;
  let received = 0;
  stream.on('data', (chunk: Buffer) => (received += chunk.length));
  await until('all events at the one that did not read', async () => received > bytes);
  stream.close(http2.constants.NGHTTP2_CANCEL);
  reader.close();
  await pod.remove();
});

t.test('a daemon that stops ends its streams and does not wait for them', async (t) => {
  const reader = await listen(node.daemon.cri);
  t.equal(await node.daemon.down(), 0);
  const failure = await until('the end of the stream', async () => reader.failure());
  t.match(failure, { code: status.UNAVAILABLE });
  await node.daemon.up();
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
