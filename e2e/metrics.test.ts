import t from 'tap';
import type { PodSandboxMetrics__Output } from '../src/gen/runtime/v1/PodSandboxMetrics.js';
import { type Node, startNode } from './harness/node.js';
import { OWN_NETWORK, Pod } from './harness/pod.js';

/** What depends on the host: block devices that count, huge pages, pressure. The suite of the CRI lets these be missing too. */
const OF_THE_HOST = /^container_(blkio|fs_reads|fs_writes|hugetlb|pressure)_/;
const LIMIT = 64 << 20;
let node: Node;
let pod: Pod;
let id: string;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon, { linux: OWN_NETWORK });
  id = await pod.start(node.busybox, {
    metadata: { name: 'web', attempt: 0 },
    command: ['sh', '-c', 'dd if=/dev/zero of=/written bs=64k count=16; exec 9</written; sleep 1000'],
    resources: { cpuPeriod: '100000', cpuQuota: '20000', cpuShares: '1024', memoryLimitInBytes: String(LIMIT) },
  });
});

const metricsOf = async (sandbox: string): Promise<PodSandboxMetrics__Output | undefined> => {
  const { podMetrics } = await node.daemon.cri.listPodSandboxMetrics({});
  return podMetrics.find(({ podSandboxId }) => podSandboxId === sandbox);
};

t.test('every description has a help and keys, and every metric of the CRI suite is among them', async (t) => {
  const { descriptors } = await node.daemon.cri.listMetricDescriptors({});
  t.equal(descriptors.length, 56);
  t.equal(new Set(descriptors.map(({ name }) => name)).size, 56);
  for (const { name, help, labelKeys } of descriptors) {
    t.match(name, /^container_/);
    t.ok(help && labelKeys.length >= 6, name);
  }
});

t.test('a running container has a value of everything, with the labels of its description', async (t) => {
  const { descriptors } = await node.daemon.cri.listMetricDescriptors({});
  const keys = new Map(descriptors.map(({ name, labelKeys }) => [name, labelKeys]));
  const measured = await metricsOf(pod.id);
  const container = measured?.containerMetrics.find(({ containerId }) => containerId === id);
  const all = [...(measured?.metrics ?? []), ...(container?.metrics ?? [])];
  const names = new Set(all.map(({ name }) => name));
  t.same(
    descriptors.map(({ name }) => name).filter((name) => !names.has(name) && !OF_THE_HOST.test(name)),
    [],
    'none is missing',
  );
  t.same(
    all.filter(({ name, labelValues }) => labelValues.length !== keys.get(name)?.length),
    [],
    'labels fit',
  );

  const typeOf = (name: string) => all.find((metric) => metric.name === name)?.metricType;
  t.equal(typeOf('container_memory_rss'), 'GAUGE');
  t.equal(typeOf('container_memory_failcnt'), 'COUNTER');

  const value = (name: string, ...labels: string[]) =>
    Number(
      container?.metrics.find(
        (metric) => metric.name === `container_${name}` && labels.every((label) => metric.labelValues.includes(label)),
      )?.value?.value,
    );
  t.equal(value('spec_memory_limit_bytes'), LIMIT);
  t.equal(value('spec_cpu_quota'), 20000);
  t.equal(value('spec_cpu_period'), 100000);
  t.equal(value('processes'), 1);
  t.equal(value('threads'), 1);
  t.ok(value('file_descriptors') >= 4, 'standard streams and the one that it opened');
  t.ok(value('fs_usage_bytes') >= 1 << 20, 'a mebibyte was written');
  t.ok(value('memory_usage_bytes') > 0 && value('memory_usage_bytes') <= LIMIT);
  t.ok(value('memory_failures_total', 'pgfault', 'container') > 0);
  const now = Date.now() / 1000;
  t.ok(value('start_time_seconds') <= now && value('start_time_seconds') > now - 600);

  const { name, namespace } = pod.config.metadata ?? {};
  const labels = container?.metrics.find((metric) => metric.name === 'container_memory_rss')?.labelValues;
  const byKey = Object.fromEntries((keys.get('container_memory_rss') ?? []).map((key, i) => [key, labels?.[i]]));
  t.match(byKey, { container: 'web', name: id, pod: name, namespace });
});

t.test("a pod's network is its own", async (t) => {
  const sent = (await pod.exec(id, 'cat', '/sys/class/net/eth0/statistics/tx_packets')).stdout.trim();
  const measured = await metricsOf(pod.id);
  const metric = measured?.metrics.find(({ name }) => name === 'container_network_transmit_packets_total');
  t.equal(metric?.labelValues.at(-1), 'eth0');
  t.ok(Number(metric?.value?.value) >= Number(sent));
  const host = await Pod.run(node.daemon);
  t.notOk((await metricsOf(host.id))?.metrics.some(({ name }) => name.startsWith('container_network_')));
  await host.remove();
  t.equal(await metricsOf(host.id), undefined);
});

t.test('the stream sends what the list sends', async (t) => {
  const second = await Pod.run(node.daemon);
  const streamed: PodSandboxMetrics__Output[] = [];
  for await (const { podSandboxMetrics } of node.daemon.cri.streamPodSandboxMetrics({}))
    streamed.push(...podSandboxMetrics);
  const { podMetrics } = await node.daemon.cri.listPodSandboxMetrics({});
  const shape = (all: PodSandboxMetrics__Output[]) =>
    all.map(({ podSandboxId, metrics, containerMetrics }) => [
      podSandboxId,
      metrics.map(({ name }) => name),
      containerMetrics.map(({ containerId, metrics: own }) => [containerId, own.map(({ name }) => name)]),
    ]);
  t.same(shape(streamed), shape(podMetrics));
  t.same(new Set(streamed.map(({ podSandboxId }) => podSandboxId)), new Set([pod.id, second.id]));
  await second.remove();
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
