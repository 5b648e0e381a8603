import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { Disk } from './harness/disk.js';
import { type Node, startNode } from './harness/node.js';
import { OWN_NETWORK, Pod } from './harness/pod.js';

let node: Node;
let disk: Disk;

t.before(async () => {
  disk = await Disk.make(t);
  node = await startNode(t, { root: join(disk.path, 'root') });
  const { home } = node.daemon;
  await mkdir(join(home, 'config.d'));
  await writeFile(join(home, 'config.d', 'disk.toml'), `[cni]\ncache_dir = "${join(disk.path, 'cni')}"\n`);
  await node.daemon.restart();
});

const storage = async () =>
  (await node.daemon.cri.status({})).status?.conditions.find(({ type }) => type === 'StorageReady');
const pods = async () => (await node.daemon.cri.listPodSandbox({})).items.map(({ id }) => id);

t.test(
  'on a disk that has met an error pods are listed, used, stopped and removed, and nothing new is made',
  async (t) => {
    const { daemon } = node;
    const run = () => Pod.run(daemon, { linux: OWN_NETWORK });
    const [kept, evicted, emptied] = await Promise.all([run(), run(), run()]);
    const [id, stopped, removed] = await Promise.all([kept, evicted, emptied].map((pod) => pod.start(node.busybox)));
    const created = await kept.create(node.busybox);
    t.match(await storage(), { status: true });
    await disk.fail();
    t.match(await storage(), { status: false, reason: 'ReadOnly', message: /^EROFS.*: \/.*root; pods can be used/ });

    await t.rejects(Pod.run(daemon), { code: status.FAILED_PRECONDITION, details: /^cannot be written to: EROFS/ });
    await t.rejects(kept.create(node.busybox), { code: status.FAILED_PRECONDITION });
    await daemon.cri.startContainer({ containerId: created });
    t.match(await kept.exec(id as string, 'echo', 'here'), { code: 0, stdout: 'here\n' });
    await daemon.cri.stopContainer({ containerId: stopped, timeout: 1 });
    t.match(await evicted.exited(stopped as string), { state: 'CONTAINER_EXITED' });
    await evicted.remove();
    await daemon.cri.removeContainer({ containerId: removed });
    t.same(new Set(await pods()), new Set([kept.id, emptied.id]));

    await daemon.restart();
    t.match(await storage(), { status: false, reason: 'ReadOnly' });
    t.match(await kept.exec(id as string, 'echo', 'still here'), { code: 0 });
    t.match(await kept.exec(created, 'true'), { code: 0 }, 'what was started is known as running');
    t.match(
      await emptied.status(removed as string),
      { state: 'CONTAINER_EXITED' },
      'its removal is forgotten, not its end',
    );
    await Promise.all(
      (await pods())
        .filter((podSandboxId) => podSandboxId !== kept.id)
        .map(async (podSandboxId) => {
          await daemon.cri.stopPodSandbox({ podSandboxId });
          await daemon.cri.removePodSandbox({ podSandboxId });
        }),
    );
    t.same(await pods(), [kept.id]);
  },
);

t.test('once the disk is well, what could not be written then is settled by the next start', async (t) => {
  const { daemon } = node;
  for (const podSandboxId of await pods()) {
    await daemon.cri.stopPodSandbox({ podSandboxId });
    await daemon.cri.removePodSandbox({ podSandboxId });
  }
  t.equal(await daemon.down(), 0);
  await disk.unmount();
  await disk.repair();
  await disk.mount('ro');
  await daemon.up();
  t.match(await storage(), { status: false, reason: 'ReadOnly' }, 'a start on a disk that is mounted read-only');
  t.equal(await daemon.down(), 0);
  await disk.unmount();
  await disk.mount();
  await daemon.up();
  t.match(await storage(), { status: true, message: '' });
  const pod = await Pod.run(daemon, { linux: OWN_NETWORK });
  await pod.start(node.busybox);
  await pod.remove();
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
