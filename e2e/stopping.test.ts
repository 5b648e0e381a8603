import { status } from '@grpc/grpc-js';
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { containerInfo, isUnified } from './harness/cgroup.js';
import { freeze, makeChild } from './harness/freezer.js';
import { busyboxImage } from './harness/images.js';
import { type Node, startNode } from './harness/node.js';
import { OWN_NETWORK, Pod, readLog } from './harness/pod.js';
import { until } from './harness/wait.js';

const run = promisify(execFile);
let node: Node;

t.before(async () => {
  node = await startNode(t);
});

const DEAF = ['sh', '-c', "trap '' TERM; echo up; while :; do sleep 1000; done"];
const POLITE = ['sh', '-c', "trap 'exit 42' TERM; echo up; while :; do sleep 0.05; done"];
/** Says what it hears and lives on. */
const LISTENER = ['sh', '-c', "trap 'echo term' TERM; trap 'echo usr' USR1; echo up; while :; do sleep 0.05; done"];

const textOf = async (pod: Pod, id: string): Promise<string[]> =>
  (await readLog((await pod.status(id)).logPath).catch(() => [])).map(({ text }) => text);

/** Starts a container and waits until its program has set its traps. */
const startUp = async (pod: Pod, command: string[], over: object = {}): Promise<string> => {
  const id = await pod.start(node.busybox, { command, ...over });
  await until('the program to be up', async () => (await textOf(pod, id)).includes('up'));
  return id;
};

const stop = (containerId: string, timeout: number, options: object = {}) =>
  node.daemon.cri.stopContainer({ containerId, timeout }, { deadlineMs: 120_000, ...options });

t.test('the stop signal is the request’s, else the image’s, else SIGTERM, and status tells it', async (t) => {
  const image = await node.provide(await busyboxImage({ StopSignal: 'SIGUSR2' }), 'usr2');
  const pod = await Pod.run(node.daemon);
  const command = [
    'sh',
    '-c',
    "trap 'exit 10' USR1; trap 'exit 12' USR2; trap 'exit 15' TERM; echo up; while :; do sleep 0.05; done",
  ];
  for (const [from, over, signal, exitCode] of [
    [image, {}, 'SIGNAL_SIGUSR2', 12],
    [image, { stopSignal: 'SIGNAL_SIGUSR1' }, 'SIGNAL_SIGUSR1', 10],
    [node.busybox, {}, 'SIGNAL_SIGTERM', 15],
  ] as const) {
    const id = await pod.start(from, { command, ...over });
    await until('the traps', async () => (await textOf(pod, id)).includes('up'));
    t.equal((await pod.status(id)).stopSignal, signal);
    await stop(id, 60);
    t.match(await pod.status(id), { state: 'CONTAINER_EXITED', exitCode }, signal);
  }
  await pod.remove();
});

t.test('of two grace periods the shorter one counts, whichever came first', async (t) => {
  const pod = await Pod.run(node.daemon);
  for (const timeouts of [
    [600, 1],
    [1, 600],
  ]) {
    const id = await startUp(pod, DEAF);
    await Promise.all(timeouts.map((timeout) => stop(id, timeout)));
    t.match(await pod.status(id), { state: 'CONTAINER_EXITED', exitCode: 137 }, timeouts.join(', then '));
  }
  await pod.remove();
});

t.test('the stop signal is sent once, and what runs can be looked into until it ends', async (t) => {
  const pod = await Pod.run(node.daemon);
  const id = await startUp(pod, LISTENER);
  const first = stop(id, 600);
  await until('the signal', async () => (await textOf(pod, id)).includes('term'));
  t.match(await pod.exec(id, 'echo', 'still here'), { code: 0, stdout: 'still here\n' }, 'exec while it terminates');
  t.equal((await pod.status(id)).state, 'CONTAINER_RUNNING');
  const second = stop(id, 2);
  await pod.exec(id, 'kill', '-USR1', '1');
  await until('the other signal', async () => (await textOf(pod, id)).includes('usr'));
  await Promise.all([first, second]);
  t.same(await textOf(pod, id), ['up', 'term', 'usr']);
  await pod.remove();
});

t.test('a client that goes away does not stop the stop', async (t) => {
  const pod = await Pod.run(node.daemon);
  const id = await startUp(pod, LISTENER);
  const gone = new AbortController();
  const call = stop(id, 1, { signal: gone.signal }).catch(() => undefined);
  await until('the signal', async () => (await textOf(pod, id)).includes('term'));
  gone.abort();
  await call;
  t.match(await pod.exited(id), { exitCode: 137 });
  await pod.remove();
});

t.test('a daemon that is killed in the grace period goes on with it', async (t) => {
  const pod = await Pod.run(node.daemon);
  const id = await startUp(pod, LISTENER);
  const call = stop(id, 3).catch(() => undefined);
  await until('the signal', async () => (await textOf(pod, id)).includes('term'));
  await node.daemon.kill();
  await call;
  await node.daemon.up();
  t.match(await pod.exited(id), { exitCode: 137 }, 'nobody asked again');
  t.same(await textOf(pod, id), ['up', 'term'], 'and the signal was not sent again');
  await pod.remove();
});

t.test('a paused container hears its stop signal', async (t) => {
  const pod = await Pod.run(node.daemon);
  const id = await startUp(pod, POLITE);
  await freeze((await containerInfo(node.daemon.cri, id)).cgroupPath);
  await stop(id, 60);
  t.match(await pod.status(id), { exitCode: 42 });
  await pod.remove();
});

t.test('a paused container is killed, with what it has frozen below its own cgroup', async (t) => {
  const pod = await Pod.run(node.daemon);
  const { cri } = node.daemon;
  const command = ['sh', '-c', 'sleep 1000 & echo up; wait'];
  const [paused, child, removed] = await Promise.all([1, 2, 3].map(() => startUp(pod, command)));
  for (const id of [paused, removed]) await freeze((await containerInfo(cri, id ?? '')).cgroupPath);
  const { pid, cgroupPath } = await containerInfo(cri, child ?? '');
  const [below = ''] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ');
  await freeze(await makeChild(cgroupPath, Number(below)));
  for (const id of [paused, child]) {
    await stop(id ?? '', 0);
    t.match(await pod.status(id ?? ''), { state: 'CONTAINER_EXITED', exitCode: 137 });
  }
  await cri.removeContainer({ containerId: removed ?? '' });
  await t.rejects(cri.containerStatus({ containerId: removed ?? '' }), { code: status.NOT_FOUND });
  await pod.remove();
});

t.test('a stopped process (SIGSTOP) is killed at the end of its grace period', async (t) => {
  const pod = await Pod.run(node.daemon);
  const id = await startUp(pod, POLITE);
  const { pid } = await containerInfo(node.daemon.cri, id);
  process.kill(pid, 'SIGSTOP');
  await until('it to stop', async () => /^State:\tT/m.test(await readFile(`/proc/${pid}/status`, 'utf8')));
  await stop(id, 1);
  t.match(await pod.status(id), { exitCode: 137 });
  await pod.remove();
});

t.test('a pod whose supervisor died while it was paused can be stopped', async (t) => {
  const pod = await Pod.run(node.daemon);
  const id = await startUp(pod, DEAF);
  const { pid, cgroupPath } = await containerInfo(node.daemon.cri, id);
  await freeze(await makeChild(cgroupPath, pid));
  const { info } = await node.daemon.cri.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
  process.kill((JSON.parse(info['info'] ?? '{}') as { pid: number }).pid, 'SIGKILL');
  t.match(await pod.exited(id), { exitCode: 137 });
  await pod.remove();
});

t.test('a container that nothing can kill keeps nobody else waiting, and dies when it can', async (t) => {
  const { cri } = node.daemon;
  const [stuck, other] = await Promise.all([Pod.run(node.daemon), Pod.run(node.daemon)]);
  const id = await startUp(stuck, DEAF);
  const sibling = await startUp(stuck, DEAF);
  const { cgroupPath } = await containerInfo(cri, id);
  // In v1 nothing below a frozen cgroup dies, whatever is sent to it: the nearest thing to a process that hangs in the kernel.
  const podCgroup = cgroupPath.slice(0, cgroupPath.lastIndexOf('/'));
  const thaw = await freeze(podCgroup);
  const killed = stop(id, 0);
  const calls = [killed, stop(sibling, 0), cri.removePodSandbox({ podSandboxId: stuck.id })];
  let settled = 0;
  for (const call of calls) void call.catch(() => undefined).finally(() => settled++);
  const lively = await startUp(other, POLITE);
  t.match(await other.exec(lively, 'echo', 'well'), { stdout: 'well\n' });
  await stop(lively, 60);
  await cri.removeContainer({ containerId: lively });
  await other.remove();
  if (!isUnified) {
    t.equal(settled, 0, 'a whole pod came and went meanwhile');
    await t.rejects(killed, { code: status.DEADLINE_EXCEEDED, details: /a cgroup above .* is frozen/ });
  }
  await Promise.allSettled(calls);
  await thaw().catch(() => undefined); // in v2 it died, and the cgroup with it
  await stuck.remove();
  await t.rejects(cri.containerStatus({ containerId: id }), { code: status.NOT_FOUND });
});

t.test('stopping and removing succeed for any ID that names nothing, and for one that is cut short', async (t) => {
  const { cri } = node.daemon;
  for (const id of [randomUUID(), 'f'.repeat(12), '../../etc', 'A'.repeat(64), 'x'.repeat(10_000), 'é\n', '-1']) {
    await cri.stopContainer({ containerId: id, timeout: 1 });
    await cri.removeContainer({ containerId: id });
    await cri.stopPodSandbox({ podSandboxId: id });
    await cri.removePodSandbox({ podSandboxId: id });
  }
  const pod = await Pod.run(node.daemon);
  const id = await startUp(pod, POLITE);
  await stop(id.slice(0, 13), 60);
  t.match(await pod.status(id), { state: 'CONTAINER_EXITED', exitCode: 42 });
  for (const again of [1, 2]) {
    await stop(id, again);
    await cri.removeContainer({ containerId: id.slice(0, 13) });
    await cri.stopPodSandbox({ podSandboxId: pod.id.slice(0, 13) });
  }
  for (const _ of [1, 2]) await cri.removePodSandbox({ podSandboxId: pod.id.slice(0, 13) });
  t.same((await cri.listPodSandbox({ filter: { id: pod.id } })).items, []);
});

t.test('a created container is ended without a grace period', async (t) => {
  const pod = await Pod.run(node.daemon);
  const id = await pod.create(node.busybox, { command: DEAF });
  await stop(id, 600);
  t.match(await pod.status(id), { state: 'CONTAINER_EXITED', startedAt: '0' });
  await t.rejects(node.daemon.cri.startContainer({ containerId: id }), { code: status.FAILED_PRECONDITION });
  await pod.remove();
});

t.test('StopPodSandbox without its network namespace, its CNI configuration, its addresses', async (t) => {
  const { cri, home, network } = node.daemon;
  const configuration = join(home, 'cni', '10-bridge.conflist');
  const [first, second, third] = await Promise.all([1, 2, 3].map(() => Pod.run(node.daemon, { linux: OWN_NETWORK })));
  if (!first || !second || !third) throw new Error('three pods were asked for');

  const { info } = await cri.podSandboxStatus({ podSandboxId: first.id, verbose: true });
  const { runtimeSpec } = JSON.parse(info['info'] ?? '{}') as {
    runtimeSpec: { linux: { namespaces: Array<{ type: string; path: string }> } };
  };
  const netns = runtimeSpec.linux.namespaces.find(({ type }) => type === 'network')?.path ?? '';
  await run('umount', [netns]);
  await rm(netns);
  await first.remove();

  await rename(configuration, `${configuration}.away`);
  await until('no network', async () => {
    const { status } = await cri.status({});
    return status?.conditions.some(({ type, status }) => type === 'NetworkReady' && !status);
  });
  await second.remove();

  // A plugin that fails keeps the sandbox, NOTREADY: what it holds would leak otherwise.
  const id = await third.start(node.busybox);
  const addresses = join(home, 'addresses');
  await rename(addresses, `${addresses}.away`);
  await writeFile(addresses, 'not a directory');
  for (const _ of [1, 2]) {
    await t.rejects(cri.stopPodSandbox({ podSandboxId: third.id }), { code: status.INTERNAL, details: /DEL/ });
    await t.rejects(cri.removePodSandbox({ podSandboxId: third.id }), { code: status.INTERNAL, details: /DEL/ });
  }
  t.equal((await cri.podSandboxStatus({ podSandboxId: third.id })).status?.state, 'SANDBOX_NOTREADY');
  t.match(await third.status(id), { state: 'CONTAINER_EXITED' }, 'its containers are dead all the same');
  await rm(addresses);
  await rename(`${addresses}.away`, addresses);
  await third.remove();
  await rename(`${configuration}.away`, configuration);
  t.same(await network?.leftovers(), [], 'every address was given back');
});

t.test('start, exec, stop and remove of one container at once end in its removal', async (t) => {
  const { cri } = node.daemon;
  const pod = await Pod.run(node.daemon);
  const expected = new Set([
    status.NOT_FOUND, // removed before
    status.FAILED_PRECONDITION, // not running yet, or not any more
    status.INVALID_ARGUMENT, // killed while its program was being executed
  ]);
  for (let round = 0; round < 12; round++) {
    const containerId = await pod.create(node.busybox, { command: DEAF });
    const calls = [
      () => cri.startContainer({ containerId }),
      () => cri.execSync({ containerId, cmd: ['sleep', '1000'], timeout: 30 }),
      () => stop(containerId, round % 3),
      () => cri.removeContainer({ containerId }),
      () => stop(containerId, 600),
      () => cri.containerStatus({ containerId }),
      () => cri.removeContainer({ containerId }),
    ];
    const turned = [...calls.slice(round % calls.length), ...calls.slice(0, round % calls.length)];
    const results = await Promise.allSettled(turned.map((call) => call()));
    for (const result of results) {
      if (result.status === 'rejected' && !expected.has((result.reason as { code: status }).code))
        t.error(result.reason);
    }
    await t.rejects(cri.containerStatus({ containerId }), { code: status.NOT_FOUND }, `round ${round}`);
  }
  t.same((await cri.listContainers({ filter: { podSandboxId: pod.id } })).containers, []);
  await pod.remove();
});

t.test('run, create, stop and remove of one pod at once end in its removal', async (t) => {
  const { cri } = node.daemon;
  for (let round = 0; round < 6; round++) {
    const pod = await Pod.run(node.daemon, { linux: OWN_NETWORK });
    await startUp(pod, DEAF);
    const calls = [
      pod.start(node.busybox),
      cri.stopPodSandbox({ podSandboxId: pod.id }),
      cri.removePodSandbox({ podSandboxId: pod.id }),
      pod.create(node.busybox),
      cri.stopPodSandbox({ podSandboxId: pod.id }),
      cri.removePodSandbox({ podSandboxId: pod.id }),
    ];
    const results = await Promise.allSettled(calls);
    for (const index of [1, 2, 4, 5])
      t.match(results[index], { status: 'fulfilled' }, `call ${index} of round ${round}`);
    t.same((await cri.listPodSandbox({ filter: { id: pod.id } })).items, []);
    t.same((await cri.listContainers({ filter: { podSandboxId: pod.id } })).containers, []);
  }
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
