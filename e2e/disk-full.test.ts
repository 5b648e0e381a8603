import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';

const run = promisify(execFile);
let node: Node;
let disk: string;

t.before(async () => {
  disk = await mkdtemp(join(tmpdir(), 'jangada-disk-'));
  t.teardown(() => rm(disk, { recursive: true }));
  await run('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk]);
  t.teardown(() => run('umount', [disk]));
  node = await startNode(t, { network: false, root: join(disk, 'root') });
});

const fill = () => t.rejects(writeFile(join(disk, 'ballast'), Buffer.alloc(64 << 20)), { code: 'ENOSPC' });
const empty = () => rm(join(disk, 'ballast'));

t.test('on a full disk pods are listed, exit, are stopped and removed, and nothing new is made', async (t) => {
  const { daemon } = node;
  const [kept, evicted] = await Promise.all([Pod.run(daemon), Pod.run(daemon)]);
  const [id, stopped] = await Promise.all([kept, evicted].map((pod) => pod.start(node.busybox)));
  const waits = { command: ['sh', '-c', 'while [ ! -e /go/go ]; do sleep 0.02; done; exit 42'] };
  const exits = await kept.start(node.busybox, {
    ...waits,
    mounts: [{ hostPath: daemon.logs, containerPath: '/go' }],
  });
  await fill();
  await writeFile(join(daemon.logs, 'go'), '');
  t.match(await kept.exited(exits), { exitCode: 42 });
  // What the journal has allocated beyond its reserve takes one or two.
  const annotations = { large: 'x'.repeat(100_000) };
  const full = { code: status.RESOURCE_EXHAUSTED, details: /no space left/i };
  await t.rejects(Promise.all(Array.from({ length: 10 }, () => Pod.run(daemon, { annotations }))), full);
  t.match((await daemon.cri.status({})).status?.conditions, [
    { status: true },
    {},
    { status: false, reason: 'NoSpace' },
  ]);
  await daemon.cri.stopContainer({ containerId: stopped, timeout: 1 });
  t.match(await evicted.exited(stopped as string), { state: 'CONTAINER_EXITED' });
  await evicted.remove();
  const { items } = await daemon.cri.listPodSandbox({ filter: { id: evicted.id } });
  t.same(items, []);

  await daemon.kill();
  await daemon.up();
  t.match(await daemon.log(), /the journal is not compacted/);
  t.match(await kept.status(exits), { exitCode: 42, state: 'CONTAINER_EXITED' }, 'a start on a full disk knows all');
  t.match(await kept.exec(id as string, 'echo', 'still here'), { code: 0 });
  await daemon.cri.removeContainer({ containerId: exits });

  await empty();
  const later = await kept.start(node.busybox);
  const { status: known } = await daemon.cri.containerStatus({ containerId: later });
  await daemon.restart();
  t.same(await kept.status(later), known, 'what is written when there is room again is found');
  t.match(await kept.exec(id as string, 'true'), { code: 0 });
  await kept.remove();
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
