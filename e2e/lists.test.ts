import t from 'tap';
import type { ContainerFilter } from '../src/gen/runtime/v1/ContainerFilter.js';
import type { PodSandboxFilter } from '../src/gen/runtime/v1/PodSandboxFilter.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';

let node: Node;
const pods: Pod[] = [];
const containers: string[] = [];

t.before(async () => {
  node = await startNode(t);
  for (const app of ['web', 'db']) {
    const pod = await Pod.run(node.daemon, { labels: { app }, annotations: { note: app } });
    pods.push(pod);
    containers.push(await pod.start(node.busybox, { labels: { app }, command: ['sleep', '1000'] }));
    containers.push(await pod.create(node.busybox, { labels: { app, tier: 'spare' } }));
  }
});

const idOf = ({ id }: { id: string }): string => id;

const gather = async <M, I>(stream: AsyncIterable<M>, items: (message: M) => I[]): Promise<I[]> => {
  const all: I[] = [];
  for await (const message of stream) {
    const some = items(message);
    if (some.length === 0) throw new Error('a message without items');
    all.push(...some);
  }
  return all;
};

t.test('streams of sandboxes send what lists send', async (t) => {
  const { cri } = node.daemon;
  const [web, db] = pods.map(({ id }) => id) as [string, string];
  const cases: [PodSandboxFilter | null, string[]][] = [
    [null, [db, web]],
    [{ id: web }, [web]],
    [{ labelSelector: { app: 'db' } }, [db]],
    [{ state: { state: 'SANDBOX_NOTREADY' } }, []],
    [{ id: web, labelSelector: { app: 'db' } }, []],
  ];
  for (const [filter, expected] of cases) {
    const { items } = await cri.listPodSandbox({ filter });
    t.same(
      items.map(({ id }) => id),
      expected,
      JSON.stringify(filter),
    );
    t.same(await gather(cri.streamPodSandboxes({ filter }), (message) => message.podSandboxes), items);
  }
});

t.test('streams of containers send what lists send', async (t) => {
  const { cri } = node.daemon;
  const [webRuns, webSpare, dbRuns, dbSpare] = containers as [string, string, string, string];
  const cases: [ContainerFilter | null, string[]][] = [
    [null, [dbSpare, dbRuns, webSpare, webRuns]],
    [{ podSandboxId: pods[0]?.id }, [webSpare, webRuns]],
    [{ state: { state: 'CONTAINER_RUNNING' } }, [dbRuns, webRuns]],
    [{ labelSelector: { app: 'db', tier: 'spare' } }, [dbSpare]],
    [{ id: dbSpare, state: { state: 'CONTAINER_RUNNING' } }, []],
  ];
  for (const [filter, expected] of cases) {
    const { containers: items } = await cri.listContainers({ filter });
    t.same(
      items.map(({ id }) => id),
      expected,
      JSON.stringify(filter),
    );
    t.same(await gather(cri.streamContainers({ filter }), (message) => message.containers), items);
  }
});

t.test('streams of images send what lists send', async (t) => {
  const { cri } = node.daemon;
  for (const filter of [null, { image: { image: node.busybox } }]) {
    const { images } = await cri.listImages({ filter });
    t.ok(images.length > 0);
    t.same(await gather(cri.streamImages({ filter }), (message) => message.images), images);
  }
  t.same(await gather(cri.streamImages({ filter: { image: { image: 'nowhere/none' } } }), (m) => m.images), []);
});

t.test('the newest comes first, in lists and in a status, also after a restart', async (t) => {
  const { cri } = node.daemon;
  const pods = [await Pod.run(node.daemon), await Pod.run(node.daemon)];
  const [pod = pods[0] as Pod] = pods;
  const attempts: string[] = [];
  for (const attempt of [0, 1, 2]) {
    const metadata = { name: 'crashing', attempt };
    attempts.unshift((await pod.complete(node.busybox, { command: ['false'], metadata })).status.id);
  }
  for (const when of ['before', 'after']) {
    const { containersStatuses } = await cri.podSandboxStatus({ podSandboxId: pod.id });
    const { containers } = await cri.listContainers({ filter: { podSandboxId: pod.id } });
    const { items } = await cri.listPodSandbox({});
    for (const list of [containersStatuses, containers]) t.same(list.map(idOf), attempts, when);
    t.same(items.map(idOf).slice(0, 2), pods.map(idOf).reverse(), when);
    if (when === 'before') await node.daemon.restart();
  }
  for (const one of pods) await one.remove();
});

t.test('a list shows each change of what it lists', async (t) => {
  const { cri } = node.daemon;
  const pod = await Pod.run(node.daemon);
  const id = await pod.create(node.busybox, { command: ['sleep', '1000'] });
  const stateNow = async () => (await cri.listContainers({ filter: { id } })).containers.map(({ state }) => state);
  t.same(await stateNow(), ['CONTAINER_CREATED']);
  await cri.startContainer({ containerId: id });
  t.same(await stateNow(), ['CONTAINER_RUNNING']);
  await cri.stopContainer({ containerId: id, timeout: '0' });
  t.same(await stateNow(), ['CONTAINER_EXITED']);
  await cri.stopPodSandbox({ podSandboxId: pod.id });
  const { items } = await cri.listPodSandbox({ filter: { id: pod.id } });
  t.match(items, [{ state: 'SANDBOX_NOTREADY' }]);
  await cri.removePodSandbox({ podSandboxId: pod.id });
  t.same(await stateNow(), []);
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
