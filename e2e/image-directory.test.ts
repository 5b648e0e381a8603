import { open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { ociLayout } from './harness/archive.js';
import { Daemon } from './harness/daemon.js';
import { buildImage, type Image } from './harness/image.js';
import { tinyImage } from './harness/images.js';
import { buildLayer, compressLayer, file } from './harness/layer.js';
import { Pod } from './harness/pod.js';
import { until } from './harness/wait.js';

let daemon: Daemon;
t.before(async () => {
  daemon = await Daemon.start(t);
});

const imageOf = async (content: string): Promise<Image> => buildImage([await buildLayer([file('f', content)])]);

const present = async (name: string) => (await daemon.cri.imageStatus({ image: { image: name } })).image ?? undefined;
const imported = (name: string) => until(`image ${name}`, () => present(name));
const told = (text: string) => until(`"${text}" in the log`, async () => (await daemon.log()).includes(text));

const removeAll = async (...names: string[]) => {
  for (const image of names) await daemon.cri.removeImage({ image: { image } });
};

t.test('an archive that is renamed in: its images are there, pinned, and run', async (t) => {
  const archive = await ociLayout([
    { image: await tinyImage(), name: 'site.test/tiny:1' },
    { image: await imageOf('two'), name: 'site.test/two:1' },
  ]);
  await writeFile(join(daemon.images, '.coming'), gzipSync(archive));
  await rename(join(daemon.images, '.coming'), join(daemon.images, 'both.tar.gz'));
  t.match(await imported('site.test/two:1'), { pinned: true, repoTags: ['site.test/two:1'] });
  t.match(await imported('site.test/tiny:1'), { pinned: true });
  const pod = await Pod.run(daemon);
  const id = await pod.start('site.test/tiny:1');
  t.equal((await pod.status(id)).state, 'CONTAINER_RUNNING');
  await pod.remove();
  await rm(join(daemon.images, 'both.tar.gz'));
  await removeAll('site.test/tiny:1', 'site.test/two:1');
});

t.test('what is written in place counts when its writer has closed it, and a bad archive does no harm', async (t) => {
  const archive = await ociLayout([{ image: await imageOf('slow'), name: 'site.test/slow:1' }]);
  const path = join(daemon.images, 'slow.tar');
  const writer = await open(path, 'w');
  await writer.write(archive.subarray(0, 1000));
  await writeFile(join(daemon.images, 'bad.tar'), 'no archive');
  await told('no tar archive, or a damaged one');
  // One is looked at after the other.
  t.notMatch(await daemon.log(), 'cut off at', 'nobody reads half an archive');
  await writer.write(archive.subarray(1000));
  await writer.close();
  t.match(await imported('site.test/slow:1'), { pinned: true });
  for (const name of ['bad.tar', 'slow.tar']) await rm(join(daemon.images, name));
  await removeAll('site.test/slow:1');
});

t.test('at the start what is there is imported, after a kill in the midst of it too', async (t) => {
  const noise = Buffer.alloc(48 << 20, 'jangada');
  const layer = await compressLayer((await buildLayer([file('noise', noise)], 'none')).data, 'gzip');
  const image = buildImage([layer, await buildLayer([file('g', 'top')])]);
  const { digest } = layer;
  const archive = await ociLayout([{ image, name: 'site.test/big:1' }]);
  await daemon.down();
  await writeFile(join(daemon.images, 'big.tar'), archive);
  for (const ms of [0, 30, 60, 120]) {
    await daemon.up();
    await sleep(ms);
    await daemon.kill();
  }
  await daemon.up();
  t.match(await imported('site.test/big:1'), { id: image.id, pinned: true });
  await daemon.down();
  await writeFile(join(daemon.images, 'big.tar'), await ociLayout([{ image, name: 'site.test/big:2' }], [digest]));
  await daemon.up();
  t.match(await imported('site.test/big:2'), { id: image.id }, 'what is here already may be missing');
  await removeAll('site.test/big:1');
  await writeFile(join(daemon.images, 'big.tar'), await ociLayout([{ image, name: 'site.test/big:3' }], [digest]));
  await told(`not in the archive: layer ${digest} of image site.test/big:3`);
  t.equal(await present('site.test/big:3'), undefined);
  await rm(join(daemon.images, 'big.tar'));
});

t.test('nothing is left', async (t) => {
  await daemon.assertNothingLeft(t);
});
