import { status } from '@grpc/grpc-js';
import t from 'tap';
import type { ContainerStats__Output } from '../src/gen/runtime/v1/ContainerStats.js';
import type { PodSandboxStats__Output } from '../src/gen/runtime/v1/PodSandboxStats.js';
import type { UInt64Value__Output } from '../src/gen/runtime/v1/UInt64Value.js';
import { type Node, startNode } from './harness/node.js';
import { OWN_NETWORK, Pod } from './harness/pod.js';
import { until } from './harness/wait.js';

const LIMIT = 64 << 20;
let node: Node;
let pod: Pod;
let busy: string;
let spare: string;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon, { labels: { app: 'web' }, annotations: { a: 'b' }, linux: OWN_NETWORK });
  busy = await pod.start(node.busybox, {
    labels: { tier: 'front' },
    command: ['sh', '-c', 'dd if=/dev/zero of=/written bs=64k count=16; while :; do :; done'],
    resources: { memoryLimitInBytes: String(LIMIT) },
  });
  spare = await pod.create(node.busybox, { labels: { tier: 'back' } });
});

const number = (value: UInt64Value__Output | null | undefined): number => Number(value?.value ?? Number.NaN);

const statsOf = async (containerId: string): Promise<ContainerStats__Output> => {
  const { stats } = await node.daemon.cri.containerStats({ containerId });
  if (!stats) throw new Error(`no statistics of ${containerId}`);
  return stats;
};

const podStats = async (): Promise<PodSandboxStats__Output> => {
  const { stats } = await node.daemon.cri.podSandboxStats({ podSandboxId: pod.id });
  if (!stats) throw new Error('no statistics of the pod');
  return stats;
};

const gather = async <M, I>(stream: AsyncIterable<M>, items: (message: M) => I[]): Promise<I[]> => {
  const all: I[] = [];
  for await (const message of stream) all.push(...items(message));
  return all;
};

t.test('a running container, whole', async (t) => {
  const before = BigInt(Date.now()) * 1_000_000n;
  const first = await statsOf(busy);
  t.match(first.attributes, { id: busy, labels: { tier: 'front' }, metadata: { attempt: 0 } });
  const { cpu, memory } = first;
  t.ok(number(cpu?.usageCoreNanoSeconds) > 0);
  t.ok(number(memory?.usageBytes) > 0 && number(memory?.usageBytes) <= LIMIT);
  t.ok(number(memory?.workingSetBytes) <= number(memory?.usageBytes));
  t.equal(number(memory?.availableBytes), LIMIT - number(memory?.workingSetBytes));
  t.ok(number(memory?.rssBytes) > 0);
  t.ok(number(memory?.pageFaults) > 0);
  t.ok(number(memory?.majorPageFaults) >= 0);
  for (const part of [cpu, memory]) t.ok(BigInt(part?.timestamp ?? 0) >= before - 1000n, 'read when asked');

  const later = await until('a CPU rate', async () => {
    const stats = await statsOf(busy);
    return stats.cpu?.usageNanoCores ? stats : undefined;
  });
  t.ok(number(later.cpu?.usageCoreNanoSeconds) > number(cpu?.usageCoreNanoSeconds), 'CPU time only grows');
  t.ok(number(later.cpu?.usageNanoCores) > 0, 'a loop uses CPU');
  t.ok(number(later.memory?.pageFaults) >= number(memory?.pageFaults));
});

t.test('the writable layer', async (t) => {
  const layer = await until('a count of the writable layer', async () => (await statsOf(busy)).writableLayer, 30_000);
  t.ok(number(layer?.usedBytes) >= 1 << 20, 'a mebibyte was written');
  t.ok(number(layer?.inodesUsed) >= 2);
  const { imageFilesystems, containerFilesystems } = await node.daemon.cri.imageFsInfo({});
  for (const [filesystem] of [imageFilesystems, containerFilesystems]) {
    t.ok(number(filesystem?.usedBytes) > 0);
    t.ok(number(filesystem?.inodesUsed) > 0);
    t.equal(filesystem?.fsId?.mountpoint, layer?.fsId?.mountpoint, 'the kubelet finds both on one filesystem');
  }
});

t.test('lists and streams of container statistics hold the same', async (t) => {
  const { cri } = node.daemon;
  const cases: [object | null, string[]][] = [
    [null, [busy, spare]],
    [{ id: spare }, [spare]],
    [{ podSandboxId: pod.id, labelSelector: { tier: 'front' } }, [busy]],
    [{ labelSelector: { tier: 'none' } }, []],
  ];
  for (const [filter, expected] of cases) {
    const { stats } = await cri.listContainerStats({ filter });
    t.same(
      stats.map(({ attributes }) => attributes?.id),
      expected,
      JSON.stringify(filter),
    );
    const streamed = await gather(cri.streamContainerStats({ filter }), (message) => message.containerStats);
    t.same(
      streamed.map(({ attributes }) => attributes?.id),
      expected,
    );
    for (const { cpu, memory } of streamed) t.ok(cpu?.timestamp !== '0' && memory?.timestamp !== '0');
  }
});

t.test('a pod, whole', async (t) => {
  const first = await podStats();
  t.match(first.attributes, { id: pod.id, labels: { app: 'web' }, annotations: { a: 'b' } });
  t.match(first.attributes?.metadata, pod.config.metadata ?? {});
  const { linux } = first;
  const container = linux?.containers.find(({ attributes }) => attributes?.id === busy);
  t.equal(linux?.containers.length, 2);
  t.ok(number(linux?.cpu?.usageCoreNanoSeconds) >= number(container?.cpu?.usageCoreNanoSeconds), 'the pod is the sum');
  t.ok(number(linux?.memory?.usageBytes) >= number(container?.memory?.rssBytes));
  t.ok(number(linux?.process?.processCount) >= 2, 'the shell, and the one that waits to be started');
  t.equal(linux?.network?.defaultInterface?.name, 'eth0');
  t.same(linux?.network?.interfaces, [], 'nothing but the default one, and not lo');

  const inPod = async () => Number((await pod.exec(busy, 'cat', '/sys/class/net/eth0/statistics/tx_bytes')).stdout);
  const least = await inPod();
  const sent = number((await podStats()).linux?.network?.defaultInterface?.txBytes);
  const most = await inPod();
  t.ok(least <= sent && sent <= most, `the pod's own counters: ${least} <= ${sent} <= ${most}`);

  const later = await until('a CPU rate', async () => {
    const stats = await podStats();
    return stats.linux?.cpu?.usageNanoCores ? stats : undefined;
  });
  t.ok(number(later.linux?.cpu?.usageCoreNanoSeconds) > number(linux?.cpu?.usageCoreNanoSeconds));
});

t.test('lists and streams of pod statistics hold the same', async (t) => {
  const { cri } = node.daemon;
  const host = await Pod.run(node.daemon, { labels: { app: 'host' } });
  const cases: [object | null, string[]][] = [
    [null, [pod.id, host.id]],
    [{ id: host.id }, [host.id]],
    [{ labelSelector: { app: 'web' } }, [pod.id]],
    [{ id: host.id, labelSelector: { app: 'web' } }, []],
  ];
  for (const [filter, expected] of cases) {
    const { stats } = await cri.listPodSandboxStats({ filter });
    const streamed = await gather(cri.streamPodSandboxStats({ filter }), (message) => message.podSandboxStats);
    for (const some of [stats, streamed])
      t.same(
        some.map(({ attributes }) => attributes?.id),
        expected,
        JSON.stringify(filter),
      );
  }
  const { stats } = await cri.podSandboxStats({ podSandboxId: host.id });
  t.equal(stats?.linux?.network, null, "the host's network is not the pod's");
  await cri.stopPodSandbox({ podSandboxId: host.id });
  t.same((await cri.listPodSandboxStats({ filter: { id: host.id } })).stats, [], 'nothing to be measured');
  t.match((await cri.podSandboxStats({ podSandboxId: host.id })).stats, { attributes: { id: host.id } });
  await host.remove();
});

t.test('what has exited uses nothing; what is gone is not found', async (t) => {
  const { cri } = node.daemon;
  await cri.stopContainer({ containerId: busy, timeout: '0' });
  t.match(await statsOf(busy), { attributes: { id: busy }, cpu: null, memory: null });
  t.same(
    (await cri.listContainerStats({})).stats.map(({ attributes }) => attributes?.id),
    [spare],
  );
  t.ok(number((await podStats()).linux?.cpu?.usageCoreNanoSeconds) > 0, "its CPU time stays the pod's");
  await pod.remove();
  await t.rejects(cri.containerStats({ containerId: busy }), { code: status.NOT_FOUND });
  await t.rejects(cri.podSandboxStats({ podSandboxId: pod.id }), { code: status.NOT_FOUND });
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
