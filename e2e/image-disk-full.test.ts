import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { Daemon } from './harness/daemon.js';
import { type FaultyRegistry, startFaultyRegistry } from './harness/faulty-registry.js';
import { buildImage } from './harness/image.js';
import { buildLayer, directory, file } from './harness/layer.js';
import { treeOf } from './harness/leaks.js';
import { until } from './harness/wait.js';

const run = promisify(execFile);
let registry: FaultyRegistry;

t.before(async () => {
  registry = await startFaultyRegistry();
  t.teardown(() => registry.stop());
});

/** A daemon whose data is on a filesystem of its own, with these limits. */
const cramped = async (t: Test, limits: string): Promise<Daemon> => {
  const disk = await mkdtemp(join(tmpdir(), 'jangada-disk-'));
  t.teardown(() => rm(disk, { recursive: true }));
  await run('mount', ['-t', 'tmpfs', '-o', limits, 'tmpfs', disk]);
  t.teardown(() => run('umount', [disk]));
  const daemon = await Daemon.start(t, { network: false, root: join(disk, 'root') });
  await daemon.trust(registry);
  return daemon;
};

/** The pull fails for want of space, all it took is given back, and an image that fits is pulled and removed. */
const refusedButAlive = async (t: Test, daemon: Daemon, reference: string, details: RegExp) => {
  const before = await treeOf(daemon.root);
  const pulls = await Promise.allSettled([1, 2].map(() => daemon.cri.pullImage({ image: { image: reference } })));
  for (const pull of pulls) t.match(pull, { status: 'rejected', reason: { code: status.RESOURCE_EXHAUSTED, details } });
  await until('the disk to be as before', async () => isDeepStrictEqual(await treeOf(daemon.root), before));
  t.strictSame((await daemon.cri.listImages({})).images, []);
  const small = registry.serve(buildImage([await buildLayer([file('f', 'small')])]), 'small');
  const { imageRef } = await daemon.cri.pullImage({ image: { image: small } });
  t.match(await daemon.cri.imageStatus({ image: { image: small } }), { image: { id: imageRef } });
  await daemon.cri.removeImage({ image: { image: small } });
  await until('its removal', async () => isDeepStrictEqual(await treeOf(daemon.root), before));
};

const noise = async (name: string, mebibytes: number) => buildLayer([file(name, randomBytes(mebibytes << 20))], 'none');

t.test('an image that is larger than the disk is refused before a byte of it is written', async (t) => {
  const daemon = await cramped(t, 'size=8m');
  const reference = registry.serve(buildImage([await noise('a', 6), await noise('b', 6)]), 'large');
  await refusedButAlive(
    t,
    daemon,
    reference,
    /^disk full: \d+ bytes to pull, \d+ free at .*: image .*large.*; free space or remove/,
  );
});

t.test('the disk is full in the middle of a layer', async (t) => {
  const daemon = await cramped(t, 'size=8m');
  const zeros = await buildLayer([file('zeros', Buffer.alloc(32 << 20))]);
  const reference = registry.serve(buildImage([await noise('a', 2), zeros]), 'zeros');
  await refusedButAlive(t, daemon, reference, /no space left.*: layer sha256:\w+ of .*\/zeros/i);
});

t.test('there is room, but no inodes', async (t) => {
  const daemon = await cramped(t, 'size=64m,nr_inodes=400');
  const names = Array.from({ length: 1000 }, (_, index) => file(`d/${index}`, 'x'));
  const many = await buildLayer([directory('d'), ...names]);
  const reference = registry.serve(buildImage([many]), 'many');
  await refusedButAlive(t, daemon, reference, new RegExp(`no space left.*: layer ${many.digest} of .*/many`, 'i'));
});
