import { status } from '@grpc/grpc-js';
import { mkdir, readFile, rmdir } from 'node:fs/promises';
import t from 'tap';
import type { LinuxContainerResources } from '../src/gen/runtime/v1/LinuxContainerResources.js';
import { cgroupsOf } from './harness/leaks.js';
import { cgroupValue, containerInfo, isUnified } from './harness/cgroup.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';
import { PATIENCE, until } from './harness/wait.js';

const MIB = 1 << 20;
let node: Node;
let pod: Pod;

t.before(async () => {
  node = await startNode(t, { pidsLimit: 77 });
  pod = await Pod.run(node.daemon);
});

const value = (id: string, v1: string, v2: string) => cgroupValue(node.daemon.cri, id, v1, v2);

t.test('every limit reaches the kernel', async (t) => {
  const resources = {
    cpuShares: '512',
    cpuQuota: '50000',
    cpuPeriod: '100000',
    cpusetCpus: '0',
    cpusetMems: '0',
    memoryLimitInBytes: String(64 * MIB),
    oomScoreAdj: 321,
  };
  const id = await pod.start(node.busybox, { resources });
  t.match(await value(id, 'cpu/cpu.shares', 'cpu.weight'), /^(512|59)$/);
  t.match(await value(id, 'cpu/cpu.cfs_quota_us', 'cpu.max'), /^50000( 100000)?$/);
  if (!isUnified) t.equal(await value(id, 'cpu/cpu.cfs_period_us', ''), '100000');
  t.equal(await value(id, 'cpuset/cpuset.cpus', 'cpuset.cpus'), '0');
  t.equal(await value(id, 'cpuset/cpuset.mems', 'cpuset.mems'), '0');
  t.equal(await value(id, 'memory/memory.limit_in_bytes', 'memory.max'), String(64 * MIB));
  const { pid } = await containerInfo(node.daemon.cri, id);
  t.equal(await readFile(`/proc/${pid}/oom_score_adj`, 'utf8'), '321\n');
  const { resources: told } = await pod.status(id);
  t.match(told?.linux, {
    cpuShares: '512',
    cpuQuota: '50000',
    cpuPeriod: '100000',
    memoryLimitInBytes: String(64 * MIB),
  });
  await node.daemon.cri.removeContainer({ containerId: id });
});

t.test('pids.max: the request before the daemon, the daemon before nothing', async (t) => {
  const id = await pod.start(node.busybox);
  t.equal(await value(id, 'pids/pids.max', 'pids.max'), '77', 'pids_limit of the configuration');
  const own = await pod.start(node.busybox, { resources: { unified: { 'pids.max': '33' } } });
  t.equal(await value(own, 'pids/pids.max', 'pids.max'), '33', 'unified of the request');
  for (const containerId of [id, own]) await node.daemon.cri.removeContainer({ containerId });
});

t.test('the first process is born into its cgroup: nothing it does escapes accounting', async (t) => {
  const { output } = await pod.complete(node.busybox, {
    command: ['cat', '/proc/self/cgroup'],
    security: { namespaceOptions: { pid: 'CONTAINER' } },
  });
  t.notMatch(output, /jangada/, 'and has a cgroup namespace of its own');
  t.match(output, isUnified ? /^0::\/$/m : /:memory:\/$/m);
});

t.test('CVE-2022-0492, CVE-2023-25809: /sys/fs/cgroup is read-only', async (t) => {
  const id = await pod.start(node.busybox);
  const { stdout, stderr } = await pod.exec(
    id,
    'sh',
    '-c',
    'for f in $(find /sys/fs/cgroup -name cgroup.procs -o -name release_agent -o -name tasks); do echo 1 > $f && echo WROTE $f; done; grep cgroup /proc/self/mountinfo',
  );
  t.notMatch(stdout, /WROTE/);
  t.notMatch(stdout, /^\S+ \S+ \S+ \S+ \S+ rw\S* .* - cgroup/m, 'no cgroup mount is writable');
  t.match(stderr + stdout, /Read-only file system|cgroup/);
  await node.daemon.cri.removeContainer({ containerId: id });
});

t.test('an update takes effect and is told', async (t) => {
  const id = await pod.start(node.busybox, { resources: { memoryLimitInBytes: String(64 * MIB), cpuShares: '512' } });
  await node.daemon.cri.updateContainerResources({
    containerId: id,
    linux: { memoryLimitInBytes: String(128 * MIB), cpuShares: '1024', cpuQuota: '20000', cpuPeriod: '50000' },
  });
  t.equal(await value(id, 'memory/memory.limit_in_bytes', 'memory.max'), String(128 * MIB), 'more memory');
  t.match(await value(id, 'cpu/cpu.shares', 'cpu.weight'), /^(1024|100)$/);
  t.match(await value(id, 'cpu/cpu.cfs_quota_us', 'cpu.max'), /^20000( 50000)?$/);
  t.match((await pod.status(id)).resources?.linux, { memoryLimitInBytes: String(128 * MIB), cpuShares: '1024' });
  await node.daemon.cri.updateContainerResources({ containerId: id, linux: { memoryLimitInBytes: String(32 * MIB) } });
  t.equal(await value(id, 'memory/memory.limit_in_bytes', 'memory.max'), String(32 * MIB), 'and less');
  t.match(await value(id, 'cpu/cpu.shares', 'cpu.weight'), /^(1024|100)$/, 'what the update does not name stays');
  await node.daemon.cri.removeContainer({ containerId: id });
});

t.test('unlimited stays unlimited: a resize of a container without limits sends what it has read', async (t) => {
  const unlimited = '9223372036854771712';
  const id = await pod.start(node.busybox);
  const cpu = await value(id, 'cpu/cpu.shares', 'cpu.weight');
  await node.daemon.cri.updateContainerResources({
    containerId: id,
    linux: { memoryLimitInBytes: unlimited, memorySwapLimitInBytes: unlimited },
  });
  t.equal(await value(id, 'memory/memory.limit_in_bytes', 'memory.max'), isUnified ? 'max' : unlimited);
  t.equal((await pod.status(id)).resources?.linux?.memoryLimitInBytes, unlimited, 'as it was sent');
  await node.daemon.cri.updateContainerResources({ containerId: id, linux: { memoryLimitInBytes: String(64 * MIB) } });
  t.equal(await value(id, 'memory/memory.limit_in_bytes', 'memory.max'), String(64 * MIB));
  await node.daemon.cri.updateContainerResources({ containerId: id, linux: { memoryLimitInBytes: unlimited } });
  t.equal(await value(id, 'memory/memory.limit_in_bytes', 'memory.max'), isUnified ? 'max' : unlimited, 'and back');
  t.equal(await value(id, 'cpu/cpu.shares', 'cpu.weight'), cpu);
  await node.daemon.cri.removeContainer({ containerId: id });
});

t.test('the specification that is shown has the limits that are in force', async (t) => {
  const id = await pod.create(node.busybox, { resources: { memoryLimitInBytes: String(64 * MIB), cpuShares: '512' } });
  const shown = async () => {
    const { info } = await node.daemon.cri.containerStatus({ containerId: id, verbose: true });
    return (JSON.parse(info['info'] ?? '{}') as { runtimeSpec: { linux: { resources: object } } }).runtimeSpec.linux
      .resources;
  };
  t.match(await shown(), { memory: { limit: 64 * MIB }, cpu: { shares: 512 }, pids: { limit: 77 } });
  const change = (memoryLimitInBytes: number) =>
    node.daemon.cri.updateContainerResources({
      containerId: id,
      linux: { memoryLimitInBytes: String(memoryLimitInBytes) },
    });
  await change(128 * MIB);
  t.match(
    await shown(),
    { memory: { limit: 128 * MIB }, cpu: { shares: 512 }, pids: { limit: 77 } },
    'before the start',
  );
  await node.daemon.cri.startContainer({ containerId: id });
  await change(96 * MIB);
  t.match(await shown(), { memory: { limit: 96 * MIB, swap: 96 * MIB } });
  await node.daemon.kill();
  await node.daemon.up();
  t.match(await shown(), { memory: { limit: 96 * MIB }, pids: { limit: 77 } }, 'and after a restart');
  await node.daemon.cri.removeContainer({ containerId: id });
});

t.test('an update that the kernel refuses changes nothing', async (t) => {
  const id = await pod.start(node.busybox, { resources: { memoryLimitInBytes: String(64 * MIB), cpuShares: '512' } });
  await t.rejects(
    node.daemon.cri.updateContainerResources({ containerId: id, linux: { cpuShares: '2048', cpusetCpus: '4000' } }),
    { code: status.INVALID_ARGUMENT, details: /^not online: 4000 of cpuset_cpus "4000"; online is 0/ },
  );
  t.match(await value(id, 'cpu/cpu.shares', 'cpu.weight'), /^(512|59)$/);
  t.match((await pod.status(id)).resources?.linux, { cpuShares: '512' });
  await node.daemon.cri.removeContainer({ containerId: id });
});

t.test('stats are those of the container', async (t) => {
  const id = await pod.start(node.busybox, { command: ['/memory', '20'], labels: { stats: 'yes' } });
  const log = async () => (await readFile((await pod.status(id)).logPath, 'utf8').catch(() => '')).includes('touched');
  await until('20 MiB', log);
  const { stats } = await node.daemon.cri.containerStats({ containerId: id });
  t.ok(Number(stats?.memory?.workingSetBytes?.value) >= 20 * MIB, 'memory');
  t.ok(Number(stats?.cpu?.usageCoreNanoSeconds?.value) > 0, 'cpu');
  t.equal(stats?.attributes?.id, id);
  const { stats: listed } = await node.daemon.cri.listContainerStats({ filter: { labelSelector: { stats: 'yes' } } });
  t.same(
    listed.map(({ attributes }) => attributes?.id),
    [id],
  );
  await node.daemon.cri.removeContainer({ containerId: id });
});

t.test('CVE-2018-20699: absurd resources are refused at once and leave nothing', async (t) => {
  const absurd: LinuxContainerResources[] = [
    { cpusetCpus: '0-4294967295' },
    { cpusetCpus: '0\n1' },
    { cpusetCpus: '0,4000' },
    { cpusetMems: '4000' },
    { memoryLimitInBytes: '-5' },
    { cpuPeriod: '1' },
    { cpuShares: '-1' },
    { unified: { '../../../escape': '1' } },
    { unified: { 'memory.max': '1\n2' } },
    { unified: { 'no.such.controller': '1' } },
  ];
  for (const resources of absurd) {
    const begin = performance.now();
    const shown = JSON.stringify(resources);
    await t.rejects(pod.create(node.busybox, { resources }), { code: status.INVALID_ARGUMENT }, shown);
    t.ok(performance.now() - begin < 1000 * PATIENCE, `at once: ${shown}`);
  }
  const { containers } = await node.daemon.cri.listContainers({ filter: { podSandboxId: pod.id } });
  const ids = containers.map(({ id }) => id);
  t.same(
    (await cgroupsOf(node.daemon.cgroupParent)).filter(
      (path) => /[0-9a-f]{64}$/.test(path) && !path.endsWith(pod.id) && !ids.some((id) => path.endsWith(id)),
    ),
    [],
  );
});

t.test('a cgroup parent that the kubelet names is used and left to it', async (t) => {
  const parent = `${node.daemon.cgroupParent}/kubepods/pod1`;
  const own = await Pod.run(node.daemon, {
    linux: { cgroupParent: parent, securityContext: { namespaceOptions: { network: 'NODE' } } },
  });
  const id = await own.start(node.busybox);
  t.match((await containerInfo(node.daemon.cri, id)).cgroupPath, new RegExp(`^${parent}/`));
  await own.remove();
  for (const path of (await cgroupsOf(node.daemon.cgroupParent))
    .filter((path) => path.includes('/kubepods'))
    .sort((a, b) => b.length - a.length))
    await rmdir(path);
});

t.test('a cgroup parent that somebody made by hand, without CPUs or memory nodes', async (t) => {
  const byHand = `${node.daemon.cgroupParent}/by-hand`;
  const made = `/sys/fs/cgroup/${isUnified ? '' : 'cpuset'}${byHand}`;
  await mkdir(made, { recursive: true });
  const own = await Pod.run(node.daemon, {
    linux: { cgroupParent: `${byHand}/pod1`, securityContext: { namespaceOptions: { network: 'NODE' } } },
  });
  t.match(await own.complete(node.busybox, { command: ['true'] }), { status: { exitCode: 0 } });
  await own.remove();
  for (const path of (await cgroupsOf(node.daemon.cgroupParent))
    .filter((path) => path.includes('/by-hand'))
    .sort((a, b) => b.length - a.length))
    await rmdir(path);
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
