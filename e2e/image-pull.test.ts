import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { defaultConfig } from '../src/base/config.js';
import { parseReference } from '../src/image/reference.js';
import { removeImage } from '../src/lifecycle/image-remove.js';
import { openImages } from '../src/lifecycle/image-runtime.js';
import { buildImage, buildIndex } from './harness/image.js';
import { buildLayer, directory, file, hardlink, sha256, symlink } from './harness/layer.js';
import { ACCOUNT, type RegistryOptions, startRegistry } from './harness/registry.js';

const UNPACKER = [fileURLToPath(new URL('../native/jangada-unpack', import.meta.url))] as const;
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

const setUp = async (t: Test, options: RegistryOptions = {}) => {
  const root = await mkdtemp(join(tmpdir(), 'jangada-pull-'));
  await chmod(root, 0o700);
  const registry = await startRegistry(options);
  const certs = join(root, 'certs.d', registry.host);
  await mkdir(certs, { recursive: true });
  await writeFile(
    join(certs, 'hosts.toml'),
    `server = "${registry.url}"\n${registry.caFile ? `ca = "${registry.caFile}"\n` : ''}`,
  );
  const config = { ...defaultConfig(), root, registry: { config_path: join(root, 'certs.d') } };
  const runtime = await openImages(config, pino({ level: 'silent' }), UNPACKER);
  t.teardown(async () => {
    await runtime.pulls.close();
    await runtime.layers.trash.empty();
    await registry.stop();
    await rm(root, { recursive: true });
  });
  const pull = (reference: string, auth: Partial<typeof ACCOUNT> = {}) =>
    runtime.pulls.pull(parseReference(reference), {
      username: '',
      password: '',
      auth: '',
      serverAddress: '',
      identityToken: '',
      registryToken: '',
      ...auth,
    });
  return { ...runtime, root, registry, pull };
};

const IDENTITY = [
  directory('etc'),
  file('etc/passwd', 'app:x:1002:5::/:/bin/sh\n'),
  symlink('etc/group', '/lib/group'),
];

for (const media of ['oci', 'docker'] as const) {
  t.test(`an index with gzip, zstd and plain layers: ${media}`, async (t) => {
    const set = await setUp(t, { tls: true, auth: true });
    const layers = await Promise.all([
      buildLayer(IDENTITY),
      buildLayer([directory('lib'), file('lib/group', 'app:x:5:\n')], 'zstd'),
      buildLayer([file('bin', 'x', { mode: 0o4755 }), hardlink('twin', 'bin')], 'none'),
    ]);
    const image = buildImage(layers, { media });
    const reference = await set.registry.push(
      buildIndex([{ image, platform: { architecture: ARCHITECTURE } }], media),
      'a/b',
    );
    await t.rejects(set.pull(reference), { code: status.UNAUTHENTICATED, message: /credentials needed/ });
    const record = await set.pull(reference, ACCOUNT);
    t.equal(record.id, image.id);
    t.strictSame(
      (await set.images.read(record.id))?.identity,
      { passwd: 'app:x:1002:5::/:/bin/sh\n', group: 'app:x:5:\n' },
      'links lead within the image',
    );
    const [top = ''] = set.layers.lowerDirs(record.layers.map((layer) => layer.diffId));
    const entry = await stat(join(top, 'bin'));
    t.equal(entry.mode & 0o7777, 0o4755);
    t.equal(entry.ino, (await stat(join(top, 'twin'))).ino);
    await removeImage(set, reference);
    await set.layers.trash.empty();
    t.strictSame(await readdir(join(set.root, 'layers')), ['empty']);
  });
}

t.test('a layer that is no archive is refused and leaves nothing', async (t) => {
  const set = await setUp(t);
  const good = await buildLayer(IDENTITY);
  for (const data of [Buffer.from('no archive at all'), good.data.subarray(0, good.data.length / 2)]) {
    const bad = { ...good, data, digest: sha256(data) };
    const reference = await set.registry.push(
      buildImage([good, bad], { diffIds: [good.diffId, sha256(data)] }),
      'a/bad',
    );
    await t.rejects(set.pull(reference), { code: status.DATA_LOSS });
    await set.layers.trash.empty();
    t.strictSame(await readdir(join(set.root, 'layers')), ['empty']);
    t.strictSame(await readdir(join(set.root, 'images')), []);
  }
});

t.test('a diff ID that the configuration invents is refused', async (t) => {
  const set = await setUp(t);
  const image = buildImage([await buildLayer(IDENTITY)], { diffIds: [`sha256:${'1'.repeat(64)}`] });
  const reference = await set.registry.push(image, 'a/b');
  await t.rejects(set.pull(reference), { code: status.DATA_LOSS, message: /wrong diff ID/ });
  await set.layers.trash.empty();
  t.strictSame(await readdir(join(set.root, 'layers')), ['empty']);
});

t.test('after a power loss layers are verified: what is whole stays, what lost data is pulled again', async (t) => {
  const set = await setUp(t);
  const whole = await buildLayer([
    directory('d'),
    file('d/long', 'x'.repeat(100_000)),
    file('d/long', 'replaced'),
    hardlink('d/twin', 'd/long'),
    file('d/empty', ''),
    file('d/.wh.hidden', ''),
    file('d/.wh..wh..opq', ''),
    symlink('d/link', '/nowhere'),
    file(`d/${'n'.repeat(200)}`, 'y'),
  ]);
  const short = await buildLayer([directory('d'), file('d/f', 'z'.repeat(5000))], 'zstd');
  const kept = await set.pull(await set.registry.push(buildImage([whole]), 'a/kept'));
  const lost = await set.pull(await set.registry.push(buildImage([whole, short]), 'a/lost'));
  await truncate(join(set.layers.path(short.diffId), 'd/f'), 4096);
  const mark = join(set.root, 'layers.json');
  await writeFile(mark, JSON.stringify({ ...JSON.parse(await readFile(mark, 'utf8')), boot: 'the one before' }));
  const again = await openImages(set.config, set.log, UNPACKER);
  t.strictSame(
    again.images.list().map(({ id }) => id),
    [kept.id],
  );
  t.ok(again.layers.get(whole.diffId));
  t.equal(again.layers.get(short.diffId), undefined);
  const { id } = await again.pulls.pull(parseReference(`${set.registry.host}/a/lost:latest`), null);
  t.equal(id, lost.id);
  await again.pulls.close();
  await again.layers.trash.empty();
});
