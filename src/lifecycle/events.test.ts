import { status } from '@grpc/grpc-js';
import t from 'tap';
import type { Container } from '../store/container.js';
import { Journal } from '../store/journal.js';
import { ContainerStore } from '../store/container-store.js';
import { ObjectStore } from '../store/object-store.js';
import type { Sandbox } from '../store/sandbox.js';
import { Events, type PodEvent } from './events.js';

const POD = 'a'.repeat(64);
const CONTAINER = 'c'.repeat(64);
const OTHER = 'd'.repeat(64);

const open = (test: Pick<typeof t, 'testdir' | 'teardown'>, mostUnread?: number) => {
  const journal = Journal.open(`${test.testdir({})}/journal`);
  test.teardown(() => journal.close());
  const sandboxes = new ObjectStore<Sandbox>('sandbox', journal);
  const containers = new ContainerStore(journal);
  return { sandboxes, containers, events: new Events(sandboxes, containers, mostUnread) };
};

const newSandbox = { id: POD, stage: 'creating', supervisorPid: 0 } as Sandbox;
const newContainer = (id: string) =>
  ({ id, sandboxId: POD, stage: 'creating', startedAt: '0', finishedAt: '0' }) as Container;

const take = async (events: AsyncGenerator<PodEvent>, count: number): Promise<PodEvent[]> => {
  const taken: PodEvent[] = [];
  while (taken.length < count) taken.push((await events.next()).value as PodEvent);
  return taken;
};

t.test('the life of a pod, in order, each event with the pod as it was then', async (t) => {
  const { sandboxes, containers, events } = open(t);
  const listening = events.listen(new AbortController().signal);
  sandboxes.put(newSandbox);
  sandboxes.update(POD, { stage: 'ready', supervisorPid: 7 });
  containers.put(newContainer(CONTAINER));
  containers.put(newContainer(OTHER));
  containers.update(CONTAINER, { stage: 'live' });
  containers.delete(OTHER); // a creation that was rolled back
  containers.update(CONTAINER, { startedAt: '10' });
  containers.update(CONTAINER, { resources: null }); // nothing that anybody watches
  containers.update(CONTAINER, { finishedAt: '20', exitCode: 3 });
  containers.update(CONTAINER, { stage: 'removing' });
  containers.delete(CONTAINER);
  sandboxes.update(POD, { stage: 'stopping' });
  sandboxes.update(POD, { stage: 'stopped', supervisorPid: 0 });
  sandboxes.update(POD, { stage: 'removing' });
  sandboxes.delete(POD);
  const all = await take(listening, 8);
  t.same(
    all.map(({ id, type }) => `${id[0]} ${type.split('_')[1]}`),
    ['a CREATED', 'a STARTED', 'c CREATED', 'c STARTED', 'c STOPPED', 'c DELETED', 'a STOPPED', 'a DELETED'],
  );
  t.same(
    all.map(({ containers: [container] }) => container && [container.startedAt, container.finishedAt]),
    [undefined, undefined, ['0', '0'], ['10', '0'], ['10', '20'], undefined, undefined, undefined],
  );
  t.same(
    all.map(({ sandbox }) => sandbox?.stage),
    ['ready', 'ready', 'ready', 'ready', 'ready', 'ready', 'stopped', 'removing'],
  );
  const times = all.map(({ createdAt }) => BigInt(createdAt));
  t.ok(
    times.every((time, i) => i === 0 || time > (times[i - 1] ?? 0n)),
    'every event is younger than the one before',
  );
});

t.test(
  'a container that never started stops all the same; one that is killed before its start has no start',
  async (t) => {
    const { containers, events } = open(t);
    containers.put({ ...newContainer(CONTAINER), stage: 'live' });
    const listening = events.listen(new AbortController().signal);
    containers.update(CONTAINER, { finishedAt: '20', exitCode: 128 });
    containers.update(CONTAINER, { startedAt: '10' });
    containers.delete(CONTAINER);
    const types = (await take(listening, 2)).map(({ type }) => type);
    t.same(types, ['CONTAINER_STOPPED_EVENT', 'CONTAINER_DELETED_EVENT']);
  },
);

t.test('readers do not wait for each other; the one that is too slow is cut off and told', async (t) => {
  const { containers, events } = open(t, 4);
  const [slow, quick] = [events.listen(new AbortController().signal), events.listen(new AbortController().signal)];
  for (let i = 0; i < 6; i++) {
    containers.put({ ...newContainer(CONTAINER), stage: 'live' });
    containers.delete(CONTAINER);
    t.equal((await take(quick, 1))[0]?.type, 'CONTAINER_DELETED_EVENT');
  }
  await t.rejects(slow.next(), { code: status.RESOURCE_EXHAUSTED, message: /too slow/ });
});

t.test('a reader that goes is forgotten, and a daemon that stops tells the others', async (t) => {
  const { containers, events } = open(t);
  const gone = new AbortController();
  const first = events.listen(gone.signal);
  const waiting = first.next();
  gone.abort();
  t.same(await waiting, { value: undefined, done: true });
  const second = events.listen(new AbortController().signal);
  const next = second.next();
  events.close();
  await t.rejects(next, { code: status.UNAVAILABLE });
  await t.rejects(events.listen(new AbortController().signal).next(), { code: status.UNAVAILABLE });
  containers.put(newContainer(CONTAINER));
});
