import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { busyboxImage } from './harness/images.js';
import { startFaultyRegistry } from './harness/faulty-registry.js';
import { type Node, startNode } from './harness/node.js';
import { OWN_NETWORK, Pod, containerConfig, podConfig, readLog } from './harness/pod.js';
import { until } from './harness/wait.js';

const run = promisify(execFile);
let node: Node;

t.before(async () => {
  node = await startNode(t);
});

const supervisorOf = async ({ id: podSandboxId }: Pod): Promise<number> => {
  const { info } = await node.daemon.cri.podSandboxStatus({ podSandboxId, verbose: true });
  return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
};

const COUNT = 'i=0; while :; do echo $((i=i+1)); sleep 0.01; done';

t.test('containers run, log and answer as before after a kill of the daemon', async (t) => {
  const { daemon } = node;
  const pod = await Pod.run(daemon, { linux: OWN_NETWORK, labels: { crash: 'kept' } });
  const id = await pod.start(node.busybox, { command: ['sh', '-c', COUNT] });
  const created = await pod.create(node.busybox);
  const { status: exited } = await pod.complete(node.busybox, { command: ['sh', '-c', 'exit 9'] });
  const { status: podBefore } = await daemon.cri.podSandboxStatus({ podSandboxId: pod.id });
  const before = await Promise.all([id, created, exited.id].map((one) => pod.status(one)));

  await daemon.kill();
  await daemon.up();

  t.same(
    (await daemon.cri.podSandboxStatus({ podSandboxId: pod.id })).status,
    podBefore,
    'the sandbox, its IP included',
  );
  t.same(await Promise.all([id, created, exited.id].map((one) => pod.status(one))), before, 'every container');
  t.match(await pod.exec(id, 'echo', 'still here'), { code: 0, stdout: 'still here\n' });
  await daemon.cri.startContainer({ containerId: created });
  t.equal((await pod.status(created)).state, 'CONTAINER_RUNNING', 'what was created can be started');

  const { logPath } = await pod.status(id);
  const seen = (await readLog(logPath)).length;
  await until('more lines', async () => (await readLog(logPath)).length > seen);
  await daemon.cri.stopContainer({ containerId: id, timeout: 0 });
  const lines = await readLog(logPath);
  t.same(
    lines.map(({ text }) => text),
    lines.map((_, index) => String(index + 1)),
    'the log has no gap',
  );
  await pod.remove();
});

t.test('what exited meanwhile has its code, its time and its whole log', async (t) => {
  const { daemon } = node;
  const pod = await Pod.run(daemon);
  const wait = 'while [ ! -e /tmp/go ]; do sleep 0.02; done; echo last words; exit 42';
  const id = await pod.start(node.busybox, {
    command: ['sh', '-c', wait],
    mounts: [{ hostPath: daemon.logs, containerPath: '/tmp' }],
  });
  const killed = await pod.start(node.busybox, {
    command: ['/memory', '1000'],
    resources: { memoryLimitInBytes: String(32 << 20) },
  });
  await pod.exited(killed);
  const { logPath } = await pod.status(id);
  await daemon.kill();
  const begin = BigInt(Date.now()) * 1_000_000n;
  await writeFile(`${daemon.logs}/go`, '');
  await until('the last words', async () => (await readLog(logPath).catch(() => [])).length === 1);
  const end = BigInt(Date.now() + 2000) * 1_000_000n;
  await daemon.up();
  const status = await pod.exited(id);
  t.match(status, { exitCode: 42, reason: 'Error', state: 'CONTAINER_EXITED' });
  const finished = BigInt(status.finishedAt);
  t.ok(finished >= begin && finished <= end, 'finished when it did, not when it was noticed');
  t.match(await pod.status(killed), { reason: 'OOMKilled', exitCode: 137 }, 'a reason is kept');
  await pod.remove();
});

t.test('SIGTERM: the daemon ends, the containers do not', async (t) => {
  const { daemon } = node;
  const pod = await Pod.run(daemon);
  const id = await pod.start(node.busybox);
  const before = await pod.status(id);
  await daemon.restart();
  t.same(await pod.status(id), before);
  await pod.remove();
});

t.test('a request that was cut off can be repeated and gives one object', async (t) => {
  const { daemon } = node;
  for (let round = 0; round < 12; round++) {
    const config = podConfig(daemon, { linux: OWN_NETWORK });
    const attempt = (async () => {
      const { podSandboxId } = await daemon.cri.runPodSandbox({ config });
      const request = {
        podSandboxId,
        sandboxConfig: config,
        config: containerConfig(node.busybox, { metadata: { name: 'c', attempt: 0 } }),
      };
      const { containerId } = await daemon.cri.createContainer(request);
      await daemon.cri.startContainer({ containerId });
    })().catch(() => undefined);
    // Spread over everything that happens between the request and a running container.
    await sleep(round * 12);
    await daemon.kill();
    await attempt;
    await daemon.up();

    const { podSandboxId } = await daemon.cri.runPodSandbox({ config });
    const { items } = await daemon.cri.listPodSandbox({});
    t.same(
      items.map(({ id }) => id),
      [podSandboxId],
      `killed after ${round * 12} ms: one sandbox`,
    );
    const { containers } = await daemon.cri.listContainers({ filter: { podSandboxId } });
    t.ok(containers.length <= 1);
    for (const { id } of containers) await daemon.cri.removeContainer({ containerId: id });
    const { containerId } = await daemon.cri.createContainer({
      podSandboxId,
      sandboxConfig: config,
      config: containerConfig(node.busybox, { metadata: { name: 'c', attempt: 1 } }),
    });
    await daemon.cri.startContainer({ containerId });
    t.equal((await daemon.cri.execSync({ containerId, cmd: ['true'], timeout: 10 })).exitCode, 0);
    await daemon.cri.stopPodSandbox({ podSandboxId });
    await daemon.cri.removePodSandbox({ podSandboxId });
  }
  t.same(await daemon.network?.leftovers(), [], 'no namespace, interface or address of a half-made pod is left');
});

t.test('a stop and a removal that were cut off can be repeated', async (t) => {
  const { daemon } = node;
  for (let round = 0; round < 6; round++) {
    const pod = await Pod.run(daemon, { linux: OWN_NETWORK });
    await pod.start(node.busybox);
    const attempt = pod.remove().catch(() => undefined);
    await sleep(round * 10);
    await daemon.kill();
    await attempt;
    await daemon.up();
    await pod.remove();
    t.same((await daemon.cri.listPodSandbox({})).items, [], `killed after ${round * 10} ms`);
  }
  t.same(await daemon.network?.leftovers(), []);
});

t.test('a pull that was cut off is rolled back, and works when it is asked for again', async (t) => {
  const { daemon } = node;
  const registry = await startFaultyRegistry();
  t.teardown(() => registry.stop());
  await daemon.trust(registry);
  const image = await busyboxImage({ Labels: { which: 'cut off' } }, [{ path: 'extra', content: 'x'.repeat(1 << 20) }]);
  const reference = registry.serve(image, 'slow');
  const before = await daemon.stored();
  let held = 0;
  registry.fault = (content, response) => {
    if (content?.kind !== 'blob' || content.digest === image.id) return false;
    held++;
    response.writeHead(200, { 'content-length': content.data.length });
    response.write(content.data.subarray(0, content.data.length / 2)); // and never the rest
    return true;
  };
  const pull = daemon.cri.pullImage({ image: { image: reference } }).catch(() => undefined);
  await until('layers under way', async () => held >= 1);
  await daemon.kill();
  await pull;
  registry.fault = () => false;
  await daemon.up();
  t.equal((await daemon.cri.imageStatus({ image: { image: reference } })).image, null, 'half an image is no image');
  t.same(await daemon.stored(), before, 'nothing of it is left on disk');
  t.match(await daemon.cri.pullImage({ image: { image: reference } }), { imageRef: image.id });
  const pod = await Pod.run(daemon);
  t.match((await pod.complete(reference, { command: ['wc', '-c', '/extra'] })).output, /^1048576 /);
  await pod.remove();
});

t.test('images are still there after a kill, and containers can be made of them', async (t) => {
  const { daemon } = node;
  const { images } = await daemon.cri.listImages({});
  await daemon.kill();
  await daemon.up();
  t.same((await daemon.cri.listImages({})).images, images);
  const pod = await Pod.run(daemon);
  t.match(await pod.complete(node.busybox, { command: ['true'] }), { status: { exitCode: 0 } });
  await pod.remove();
});

t.test('a supervisor that does not answer a new daemon is asked again, and its pod lives on', async (t) => {
  const { daemon } = node;
  const pod = await Pod.run(daemon);
  const id = await pod.start(node.busybox);
  const before = await pod.status(id);
  const pid = await supervisorOf(pod);
  await daemon.kill();
  process.kill(pid, 'SIGSTOP');
  await daemon.up();
  const [, sinceThen = ''] = (await daemon.log()).split('not every supervisor has answered yet');
  t.notMatch(sinceThen, /a supervisor does not answer/, 'the socket is there before it is known that one does not');
  t.equal((await daemon.cri.podSandboxStatus({ podSandboxId: pod.id })).status?.state, 'SANDBOX_READY');
  t.same(await pod.status(id), before);
  const unanswered = { code: status.UNAVAILABLE, details: /^supervisor does not answer: pod sandbox/ };
  await t.rejects(pod.exec(id, 'true'), unanswered);
  await t.rejects(daemon.cri.removeContainer({ containerId: id }), unanswered);
  await t.rejects(daemon.cri.stopContainer({ containerId: id, timeout: 0 }), unanswered);
  process.kill(pid, 'SIGCONT');
  const exec = () => pod.exec(id, 'echo', 'still here').catch(() => undefined);
  t.match(await until('an answer', exec, 30_000), { code: 0, stdout: 'still here\n' });
  t.same(await pod.status(id), before);
  await pod.remove();
});

t.test('a pod whose supervisor hangs is stopped and removed all the same', async (t) => {
  const { daemon } = node;
  for (const left of ['by this daemon', 'by an earlier one']) {
    const pod = await Pod.run(daemon, { linux: OWN_NETWORK });
    const id = await pod.start(node.busybox);
    const supervisor = await supervisorOf(pod);
    if (left === 'by an earlier one') await daemon.kill();
    process.kill(supervisor, 'SIGSTOP');
    if (left === 'by an earlier one') await daemon.up();
    await daemon.cri.stopPodSandbox({ podSandboxId: pod.id });
    t.match(await pod.status(id), { state: 'CONTAINER_EXITED', exitCode: 137 }, `one that was left ${left}`);
    await until('the end of the supervisor', async () => !existsSync(`/proc/${supervisor}`));
    await pod.remove();
    t.same(await daemon.network?.leftovers(), []);
  }
});

t.test('leftovers that cannot be cleared away do not keep the daemon down', async () => {
  const { daemon } = node;
  await daemon.kill();
  const leftovers = [join(daemon.state, 'pods', 'left'), join(daemon.root, 'containers', 'left')];
  for (const leftover of leftovers) {
    await mkdir(leftover);
    await run('mount', ['-t', 'tmpfs', 'tmpfs', leftover]);
  }
  await daemon.up();
  await until('both to have been tried', async () => {
    const tried = (await daemon.log()).match(/cannot clear away a leftover/g);
    return tried?.length === leftovers.length;
  });
  for (const leftover of leftovers) await run('umount', [leftover]);
  await daemon.restart();
  await until('the next start to clear them away', async () => !leftovers.some((leftover) => existsSync(leftover)));
});

t.test('a pod that was killed while the daemon was away', async (t) => {
  const { daemon } = node;
  const pod = await Pod.run(daemon, { linux: OWN_NETWORK });
  const id = await pod.start(node.busybox);
  const supervisor = await supervisorOf(pod);
  await daemon.kill();
  process.kill(supervisor, 'SIGKILL');
  await daemon.up();
  t.match(await pod.exited(id), { exitCode: 137 });
  t.equal((await daemon.cri.podSandboxStatus({ podSandboxId: pod.id })).status?.state, 'SANDBOX_NOTREADY');
  await pod.remove();
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
