import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { type Node, startNode } from './harness/node.js';
import { containerConfig, Pod, podConfig } from './harness/pod.js';

const NOWHERE = 'd3b07384-d113-4c6d-8e0f-000000000000';
let node: Node;

t.before(async () => {
  node = await startNode(t);
});

t.test('Version, Status and RuntimeConfig', async (t) => {
  const { cri } = node.daemon;
  t.match(await cri.version({}), { version: '0.1.0', runtimeName: 'jangada', runtimeApiVersion: 'v1' });
  const { status: state, info, runtimeHandlers } = await cri.status({ verbose: true });
  const conditions = Object.fromEntries((state?.conditions ?? []).map(({ type, status }) => [type, status]));
  t.match(conditions, { RuntimeReady: true, NetworkReady: true });
  t.same(runtimeHandlers.map(({ name }) => name).sort(), ['', 'native']);
  t.not(Object.keys(info).length, 0, 'verbose status has information');
  t.match(await cri.runtimeConfig({}), { linux: { cgroupDriver: 'CGROUPFS' } });
});

t.test('an RPC that is not there yet says so', async (t) => {
  await t.rejects(node.daemon.cri.checkpointContainer({ containerId: NOWHERE }), {
    code: status.UNIMPLEMENTED,
    details: /CheckpointContainer/,
  });
});

t.test('a sandbox from READY to gone', async (t) => {
  const { cri } = node.daemon;
  const begin = BigInt(Date.now()) * 1_000_000n;
  const labels = { app: 'raft', 'io.kubernetes.pod.name': 'p' };
  const annotations = { note: 'kept as it is: ü "quoted" \n' };
  const pod = await Pod.run(node.daemon, { labels, annotations });
  const { status: ready, timestamp } = await cri.podSandboxStatus({ podSandboxId: pod.id });
  t.match(ready, { id: pod.id, state: 'SANDBOX_READY', metadata: pod.config.metadata as object, labels, annotations });
  t.ok(BigInt(ready?.createdAt ?? 0) >= begin, 'created at is in nanoseconds, not before the call');
  t.ok(BigInt(timestamp) > BigInt(ready?.createdAt ?? 0));
  t.equal(ready?.linux?.namespaces?.options?.network, 'NODE');

  for (const again of ['first', 'second']) {
    await cri.stopPodSandbox({ podSandboxId: pod.id });
    const { status: stopped } = await cri.podSandboxStatus({ podSandboxId: pod.id });
    t.equal(stopped?.state, 'SANDBOX_NOTREADY', `NOTREADY after the ${again} stop`);
  }
  await t.rejects(
    pod.create(node.busybox),
    { code: status.FAILED_PRECONDITION },
    'nothing is created in a stopped sandbox',
  );
  await cri.removePodSandbox({ podSandboxId: pod.id });
  await cri.removePodSandbox({ podSandboxId: pod.id });
  await t.rejects(cri.podSandboxStatus({ podSandboxId: pod.id }), { code: status.NOT_FOUND });
  t.same((await cri.listPodSandbox({ filter: { id: pod.id } })).items, []);
});

t.test('a container from CREATED to gone', async (t) => {
  const { cri } = node.daemon;
  const pod = await Pod.run(node.daemon);
  const labels = { 'io.kubernetes.container.name': 'c' };
  const id = await pod.create(node.busybox, {
    metadata: { name: 'c', attempt: 2 },
    labels,
    annotations: { a: 'b' },
    command: ['sh', '-c', 'exit 7'],
  });
  const created = await pod.status(id);
  t.match(created, {
    id,
    state: 'CONTAINER_CREATED',
    metadata: { name: 'c', attempt: 2 },
    labels,
    annotations: { a: 'b' },
    startedAt: '0',
    finishedAt: '0',
  });
  t.ok(BigInt(created.createdAt) > 0n);
  const { image } = await cri.imageStatus({ image: { image: node.busybox } });
  t.equal(created.imageId, image?.id, 'the image ID is the one of ImageStatus');

  await cri.startContainer({ containerId: id });
  const exited = await pod.exited(id);
  t.match(exited, { exitCode: 7, reason: 'Error', state: 'CONTAINER_EXITED' });
  t.ok(BigInt(exited.startedAt) >= BigInt(created.createdAt), 'started after it was created');
  t.ok(BigInt(exited.finishedAt) >= BigInt(exited.startedAt), 'finished after it was started');

  await t.rejects(
    cri.startContainer({ containerId: id }),
    { code: status.FAILED_PRECONDITION },
    'an exited container is not started again',
  );
  await cri.stopContainer({ containerId: id, timeout: 0 });
  t.same(await pod.status(id), exited, 'stopping what has exited changes nothing');
  await cri.removeContainer({ containerId: id });
  await cri.removeContainer({ containerId: id });
  await t.rejects(cri.containerStatus({ containerId: id }), { code: status.NOT_FOUND });
  await pod.remove();
});

t.test('a container names its image by the first tag, whatever it was asked for by', async (t) => {
  const { cri } = node.daemon;
  const { image } = await cri.imageStatus({ image: { image: node.busybox } });
  const pod = await Pod.run(node.daemon);
  const id = await pod.create(image?.id ?? '');
  const named = { image: { image: image?.repoTags[0] }, imageRef: image?.repoDigests[0], imageId: image?.id };
  t.match(await pod.status(id), named);
  const { containers } = await cri.listContainers({ filter: { id } });
  t.match(containers, [named]);
  await node.daemon.restart();
  t.match(await pod.status(id), named, 'after a restart, too');
  await pod.remove();
});

t.test('a StartContainer that is repeated gets the result of the first', async (t) => {
  const { cri } = node.daemon;
  const pod = await Pod.run(node.daemon);
  const id = await pod.create(node.busybox);
  await Promise.all([1, 2, 3].map(() => cri.startContainer({ containerId: id })));
  const { startedAt } = await pod.status(id);
  await cri.startContainer({ containerId: id });
  t.match(await pod.status(id), { state: 'CONTAINER_RUNNING', startedAt }, 'it has been started once');

  const unheard = await pod.create(node.busybox, { command: ['true'] });
  await node.daemon.kill();
  await node.daemon.up();
  const gone = new AbortController();
  const first = cri.startContainer({ containerId: unheard }, { signal: gone.signal }).catch(() => undefined);
  gone.abort();
  await first;
  await cri.startContainer({ containerId: unheard });
  await pod.exited(unheard);

  const broken = await pod.create(node.busybox, { command: ['/no/such/command'] });
  for (const _ of [1, 2])
    await t.rejects(cri.startContainer({ containerId: broken }), { message: /no such file or directory/ });
  await pod.remove();
});

t.test('containers can be removed while their pod ends', async (t) => {
  const { cri } = node.daemon;
  for (let round = 0; round < 5; round++) {
    const pod = await Pod.run(node.daemon);
    const ids = await Promise.all([1, 2, 3].map(() => pod.start(node.busybox)));
    await Promise.all([
      ...ids.map((containerId) => cri.removeContainer({ containerId })),
      cri.stopPodSandbox({ podSandboxId: pod.id }),
      ...ids.map((containerId) => cri.removeContainer({ containerId })),
    ]);
    const { containers } = await cri.listContainers({ filter: { podSandboxId: pod.id } });
    t.same(containers, []);
    await cri.removePodSandbox({ podSandboxId: pod.id });
  }
});

t.test('verbose status: what tools read with crictl inspect', async (t) => {
  const { cri } = node.daemon;
  const labels = { camelCase: 'kept' };
  const pod = await Pod.run(node.daemon, { labels });
  const options = { command: ['sleep', '1000'], env: { A: 'b' }, labels, resources: { cpuShares: '512' } };
  const id = await pod.start(node.busybox, options);
  const infoOf = async (answer: Promise<{ info: Record<string, string> }>) =>
    JSON.parse((await answer).info['info'] ?? '') as object;
  const expected = {
    sandboxID: pod.id,
    removing: false,
    config: { log_path: String, labels, envs: [{ key: 'A', value: 'b' }], linux: { resources: { cpu_shares: 512 } } },
    runtimeSpec: {
      annotations: { 'io.kubernetes.cri.image-name': node.busybox },
      process: { args: ['sleep', '1000'] },
      linux: { cgroupsPath: new RegExp(id) },
    },
  };
  const container = () => infoOf(cri.containerStatus({ containerId: id, verbose: true }));
  const before = await container();
  t.match(before, expected);
  t.match(before, { timeline: [{ what: 'CreateContainer' }, { what: 'StartContainer' }] });
  await node.daemon.restart();
  t.same(
    await container(),
    { ...before, timeline: [] },
    'the same after a restart, but for what a daemon keeps in memory',
  );
  t.match(await infoOf(cri.podSandboxStatus({ podSandboxId: pod.id, verbose: true })), {
    pid: Number,
    netNamespaceClosed: false,
    runtimeHandler: '',
    config: { log_directory: pod.config.logDirectory, labels },
    runtimeSpec: { hostname: 'raft', linux: { namespaces: [] } },
  });
  t.same((await cri.containerStatus({ containerId: id })).info, {}, 'and nothing unless it is asked for');
  await pod.remove();
});

t.test('StartContainer of a process that ends at once succeeds, and exit 0 is Completed', async (t) => {
  const pod = await Pod.run(node.daemon);
  const { status: exited } = await pod.complete(node.busybox, { command: ['true'] });
  t.match(exited, { exitCode: 0, reason: 'Completed' });
  await pod.remove();
});

t.test('StopContainer: the stop signal first, SIGKILL at the end of the grace period', async (t) => {
  const { cri } = node.daemon;
  const pod = await Pod.run(node.daemon);
  const polite = await pod.start(node.busybox, { command: ['/pause'] });
  await cri.stopContainer({ containerId: polite, timeout: 20 });
  t.match(await pod.status(polite), { state: 'CONTAINER_EXITED', exitCode: 0 }, 'ended by itself');

  const deaf = await pod.start(node.busybox, {
    command: ['sh', '-c', "trap '' TERM; echo deaf; while :; do sleep 1000; done"],
  });
  const begin = Date.now();
  await cri.stopContainer({ containerId: deaf, timeout: 1 });
  t.ok(Date.now() - begin >= 1000, 'it had its grace period');
  t.match(await pod.status(deaf), { state: 'CONTAINER_EXITED', exitCode: 137 });

  const signal = await pod.start(node.busybox, {
    command: ['sh', '-c', "trap 'exit 42' USR1; while :; do sleep 0.05; done"],
    stopSignal: 'SIGNAL_SIGUSR1',
  });
  await cri.stopContainer({ containerId: signal, timeout: 20 });
  t.match(await pod.status(signal), { exitCode: 42 }, 'the signal that the request names');
  await pod.remove();
});

t.test('a shorter StopContainer overrides a longer one that is under way', async (t) => {
  const { cri } = node.daemon;
  const pod = await Pod.run(node.daemon);
  const id = await pod.start(node.busybox, { command: ['sh', '-c', "trap '' TERM; while :; do sleep 1000; done"] });
  const slow = cri.stopContainer({ containerId: id, timeout: 600 });
  await cri.stopContainer({ containerId: id, timeout: 0 });
  await slow;
  t.equal((await pod.status(id)).state, 'CONTAINER_EXITED');
  await pod.remove();
});

t.test('StopPodSandbox ends containers, which stay listed; RemovePodSandbox takes them along', async (t) => {
  const { cri } = node.daemon;
  const pod = await Pod.run(node.daemon);
  const id = await pod.start(node.busybox);
  await cri.stopPodSandbox({ podSandboxId: pod.id });
  const { containers } = await cri.listContainers({ filter: { podSandboxId: pod.id } });
  t.match(containers, [{ id, state: 'CONTAINER_EXITED' }]);
  await cri.removePodSandbox({ podSandboxId: pod.id });
  t.same((await cri.listContainers({ filter: { podSandboxId: pod.id } })).containers, []);
});

t.test('removing what runs ends it', async (t) => {
  const { cri } = node.daemon;
  const pod = await Pod.run(node.daemon);
  const id = await pod.start(node.busybox);
  await cri.removeContainer({ containerId: id });
  await t.rejects(cri.containerStatus({ containerId: id }), { code: status.NOT_FOUND });
  await pod.start(node.busybox);
  await cri.removePodSandbox({ podSandboxId: pod.id });
  t.same((await cri.listContainers({ filter: { podSandboxId: pod.id } })).containers, []);
});

t.test('a removal that fails is seen, and the next one goes on with it', async (t) => {
  const { cri, root } = node.daemon;
  const pod = await Pod.run(node.daemon);
  const id = await pod.start(node.busybox, { command: ['sleep', '1000'] });
  const directory = join(root, 'containers', id);
  execFileSync('mount', ['--bind', directory, directory]); // what is mounted cannot be moved away
  await t.rejects(cri.removeContainer({ containerId: id }), { message: /busy/i });
  await t.rejects(cri.removePodSandbox({ podSandboxId: pod.id }), { message: /busy/i });
  const { containers } = await cri.listContainers({ filter: { podSandboxId: pod.id } });
  t.match(containers, [{ id, state: 'CONTAINER_EXITED' }]);
  t.match((await cri.listPodSandbox({ filter: { id: pod.id } })).items, [{ state: 'SANDBOX_NOTREADY' }]);
  const { containersStatuses } = await cri.podSandboxStatus({ podSandboxId: pod.id });
  t.match(containersStatuses, [{ id, state: 'CONTAINER_EXITED' }]);
  execFileSync('umount', [directory]);
  await cri.removePodSandbox({ podSandboxId: pod.id });
  t.same((await cri.listPodSandbox({ filter: { id: pod.id } })).items, []);
  t.same((await cri.listContainers({ filter: { id } })).containers, []);
});

t.test('stopping and removing the unknown succeeds; asking for it does not', async (t) => {
  const { cri } = node.daemon;
  await cri.stopPodSandbox({ podSandboxId: NOWHERE });
  await cri.removePodSandbox({ podSandboxId: NOWHERE });
  await cri.stopContainer({ containerId: NOWHERE, timeout: 1 });
  await cri.removeContainer({ containerId: NOWHERE });
  await cri.removeImage({ image: { image: `sha256:${'0'.repeat(64)}` } });
  for (const ask of [
    cri.podSandboxStatus({ podSandboxId: NOWHERE }),
    cri.containerStatus({ containerId: NOWHERE }),
    cri.startContainer({ containerId: NOWHERE }),
  ]) {
    await t.rejects(ask, { code: status.NOT_FOUND, details: new RegExp(NOWHERE) });
  }
  t.equal(
    (await cri.imageStatus({ image: { image: 'not.there/at-all:1' } })).image,
    null,
    'an unknown image is no error',
  );
});

t.test('a repeated request gives the same object, an attempt of its own another', async (t) => {
  const { cri } = node.daemon;
  const config = podConfig(node.daemon);
  const ids = await Promise.all(
    [1, 2, 3].map(() => cri.runPodSandbox({ config }).then(({ podSandboxId }) => podSandboxId)),
  );
  t.equal(new Set(ids).size, 1, 'three requests at once, one sandbox');
  const [podSandboxId = ''] = ids;
  const next = await cri.runPodSandbox({ config: { ...config, metadata: { ...config.metadata, attempt: 1 } } });
  t.not(next.podSandboxId, podSandboxId);

  const request = {
    podSandboxId,
    config: containerConfig(node.busybox, { metadata: { name: 'twice', attempt: 0 } }),
    sandboxConfig: config,
  };
  const made = await Promise.all(
    [1, 2, 3].map(() => cri.createContainer(request).then(({ containerId }) => containerId)),
  );
  t.equal(new Set(made).size, 1, 'three requests at once, one container');
  await t.rejects(
    cri.createContainer({ ...request, config: { ...request.config, command: ['other'] } }),
    { code: status.ALREADY_EXISTS, details: /twice/ },
    'the same name for something else is refused',
  );
  for (const id of [podSandboxId, next.podSandboxId]) await cri.removePodSandbox({ podSandboxId: id });
});

t.test('a repeated request is known again whatever the order of its maps and variables', async (t) => {
  const { cri } = node.daemon;
  const forth = { labels: { a: '1', b: '2' }, annotations: { c: '3', d: '4' } };
  const back = { labels: { b: '2', a: '1' }, annotations: { d: '4', c: '3' } };
  const config = podConfig(node.daemon);
  const { podSandboxId } = await cri.runPodSandbox({ config: { ...config, ...forth } });
  t.equal((await cri.runPodSandbox({ config: { ...config, ...back } })).podSandboxId, podSandboxId);

  const create = (over: object) =>
    cri.createContainer({
      podSandboxId,
      config: containerConfig(node.busybox, { metadata: { name: 'again', attempt: 0 }, ...over }),
      sandboxConfig: config,
    });
  const { containerId } = await create({ ...forth, env: { A: '1', B: '2' } });
  t.equal((await create({ ...back, env: { B: '2', A: '1' } })).containerId, containerId);
  await node.daemon.restart();
  t.equal((await create({ ...back, env: { B: '2', A: '1' } })).containerId, containerId, 'also by the next daemon');
  await cri.removePodSandbox({ podSandboxId });
});

t.test('lists are filtered by ID, state, sandbox and labels, all of them at once', async (t) => {
  const { cri } = node.daemon;
  const [one, two] = await Promise.all([
    Pod.run(node.daemon, { labels: { app: 'a', tier: 'x' } }),
    Pod.run(node.daemon, { labels: { app: 'a', tier: 'y' } }),
  ]);
  const pods = async (filter: object) => (await cri.listPodSandbox({ filter })).items.map(({ id }) => id).sort();
  t.same(await pods({ labelSelector: { app: 'a' } }), [one.id, two.id].sort());
  t.same(await pods({ labelSelector: { app: 'a', tier: 'y' } }), [two.id]);
  t.same(await pods({ id: one.id, labelSelector: { tier: 'y' } }), []);
  t.same(await pods({ id: one.id.slice(0, 12) }), [one.id], 'a truncated ID that is unique');
  await cri.stopPodSandbox({ podSandboxId: two.id });
  t.same(await pods({ labelSelector: { app: 'a' }, state: { state: 'SANDBOX_NOTREADY' } }), [two.id]);

  const running = await one.start(node.busybox, { labels: { c: '1' } });
  const created = await one.create(node.busybox, { labels: { c: '2' } });
  const containers = async (filter: object) =>
    (await cri.listContainers({ filter })).containers.map(({ id }) => id).sort();
  t.same(await containers({ podSandboxId: one.id }), [running, created].sort());
  t.same(await containers({ podSandboxId: one.id, state: { state: 'CONTAINER_CREATED' } }), [created]);
  t.same(await containers({ labelSelector: { c: '1' }, podSandboxId: one.id }), [running]);
  t.same(await containers({ id: running.slice(0, 13) }), [running]);
  t.same(await containers({ podSandboxId: NOWHERE }), [], 'an unknown sandbox has no containers');
  await Promise.all([one.remove(), two.remove()]);
});

t.test('namespaces of a pod: hostname, PID POD, CONTAINER, TARGET and NODE', async (t) => {
  const namespaces = (pid: string) => ({
    securityContext: { namespaceOptions: { network: 'NODE' as const, ipc: 'POD' as const, pid: pid as 'POD' } },
  });
  const pod = await Pod.run(node.daemon, { hostname: 'mast', linux: namespaces('CONTAINER') });
  const own = await pod.start(node.busybox, { security: { namespaceOptions: { pid: 'CONTAINER' } } });
  t.equal((await pod.exec(own, 'cat', '/proc/1/comm')).stdout, 'pause\n', 'pid 1 of its own namespace');
  const target = await pod.start(node.busybox, { security: { namespaceOptions: { pid: 'TARGET', targetId: own } } });
  t.match(
    (await pod.exec(target, 'ps', '-o', 'comm')).stdout,
    /pause\n(?:.*\n)*pause\n/,
    'sees the process of its target',
  );
  const host = await pod.start(node.busybox, { security: { namespaceOptions: { pid: 'NODE' } } });
  t.ok(
    Number((await pod.exec(host, 'sh', '-c', 'ls -d /proc/[0-9]* | wc -l')).stdout) > 3,
    "sees the host's processes",
  );
  await pod.remove();

  const onNode = await Pod.run(node.daemon, { linux: namespaces('NODE') });
  for (const namespaceOptions of [null, { pid: 'POD' as const }]) {
    const id = await onNode.start(node.busybox, { security: { namespaceOptions } });
    const { stdout } = await onNode.exec(id, 'readlink', '/proc/self/ns/pid');
    t.equal(stdout.trim(), readlinkSync('/proc/self/ns/pid'), 'what a container leaves at its default is the pod’s');
  }
  await onNode.remove();

  const shared = await Pod.run(node.daemon, { linux: namespaces('POD') });
  const [first, second] = [
    await shared.start(node.busybox, { security: { namespaceOptions: { pid: 'POD' } } }),
    await shared.start(node.busybox, { command: ['sleep', '1000'], security: { namespaceOptions: { pid: 'POD' } } }),
  ];
  t.match((await shared.exec(first, 'ps', '-o', 'comm')).stdout, /sleep/, 'containers of the pod see each other');
  t.not((await shared.exec(second, 'cat', '/proc/1/comm')).stdout, 'sleep\n', 'and none of them is pid 1');
  await shared.remove();
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
