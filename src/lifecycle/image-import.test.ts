import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { dockerArchive, Layout, pathOf } from '../image/archive/archive.fixture.js';
import { hostPlatforms } from '../image/platform.js';
import { tarOf } from '../image/registry.fixture.js';
import { BIG, setUp, SMALL } from './image-pull.fixture.js';
import { removeImage } from './image-remove.js';

const [HERE] = hostPlatforms();
const ELSEWHERE = { os: 'linux', architecture: 's390x' };

const importing = async (t: Test) => {
  const set = await setUp(t);
  const file = join(t.testdir(), 'archive.tar');
  const take = (bytes: Buffer, pinned = false) => {
    writeFileSync(file, bytes);
    return set.imports.file(file, 'archive a.tar', pinned);
  };
  const stream = (bytes: Buffer) => set.imports.stream(Readable.from([bytes]), 'archive a.tar', false);
  const nothingLeft = async (t: Test) => {
    t.strictSame(await set.leftovers(), [], 'nothing is left');
    t.strictSame(readdirSync(join(set.root, 'import')), [], 'nor an archive');
  };
  return { ...set, take, stream, nothingLeft };
};

t.test('an OCI layout: every image under its names; again, it changes nothing', async (t) => {
  const set = await importing(t);
  const layout = new Layout();
  const [one, two] = [layout.manifest([BIG, SMALL]), layout.manifest([SMALL])];
  layout.add(one, 'registry.test/app:1').add(one, 'registry.test/app:stable').add(two);
  for (const _ of [1, 2]) {
    const { images, failures } = await set.take(layout.tar());
    t.strictSame(failures, []);
    t.strictSame(images.map(({ id }) => id).sort(), [one.id, one.id, two.id].sort());
  }
  const image = set.images.resolve('registry.test/app:1');
  t.strictSame(image?.repoTags, ['registry.test/app:1', 'registry.test/app:stable']);
  t.strictSame(image?.repoDigests, [`registry.test/app@${one.digest}`]);
  t.strictSame(set.images.get(two.id)?.repoTags, []);
  t.equal(image?.pinned, false);
  await set.take(layout.tar(), true);
  t.equal(set.images.get(one.id)?.pinned, true);
  for (const { id } of set.images.list()) await removeImage(set, id);
  await set.nothingLeft(t);
});

t.test('a docker-archive, as it is and compressed, from a file and as a stream', async (t) => {
  const set = await importing(t);
  const archive = dockerArchive([BIG, SMALL], ['app:1', 'other:2']);
  for (const bytes of [archive, gzipSync(archive)])
    for (const way of [set.take, set.stream]) {
      const { images, failures } = await way(bytes);
      t.strictSame(failures, []);
      t.match(images, [{ repoTags: ['docker.io/library/app:1', 'docker.io/library/other:2'], repoDigests: [] }]);
      await removeImage(set, 'app:1');
      await set.nothingLeft(t);
    }
});

t.test('of an image for several machines that of this one is taken, and the others may be missing', async (t) => {
  const set = await importing(t);
  const layout = new Layout();
  const [here, other] = [layout.manifest([SMALL], HERE), layout.manifest([BIG], ELSEWHERE)];
  const index = layout.index({ ...other, platform: ELSEWHERE }, { ...here, platform: HERE ?? {} });
  layout
    .add(index, 'app:1')
    .drop(other.digest)
    .drop(other.id)
    .drop(other.layers[0] ?? '');
  layout.add(other, 'split:1', ELSEWHERE).add(here, 'split:1', HERE);
  t.strictSame((await set.take(layout.tar())).failures, []);
  t.strictSame(set.images.resolve('app:1')?.id, here.id);
  t.strictSame(set.images.resolve('app:1')?.repoDigests, [
    `docker.io/library/app@${index.digest}`,
    `docker.io/library/split@${here.digest}`,
  ]);
  t.strictSame(set.images.resolve('split:1')?.id, here.id);
});

t.test('what is missing is named, and keeps nothing else from being taken', async (t) => {
  const set = await importing(t);
  const layout = new Layout();
  const [whole, headless, hollow] = [
    layout.manifest([SMALL]),
    layout.manifest([SMALL], { created: 'x' }),
    layout.manifest([BIG, SMALL], { created: 'y' }),
  ];
  const gone = layout.manifest([SMALL], { created: 'z' });
  layout.add(headless, 'app:headless').add(hollow, 'app:hollow').add(gone, 'app:gone').add(whole, 'app:whole');
  layout
    .drop(headless.id)
    .drop(hollow.layers[0] ?? '')
    .drop(gone.digest);
  const { images, failures } = await set.take(layout.tar());
  t.strictSame(
    images.map(({ id }) => id),
    [whole.id],
  );
  t.match(failures, [
    { name: /app:headless$/, error: { code: status.NOT_FOUND, message: `config ${headless.id} of image` } },
    {
      name: /app:hollow$/,
      error: { code: status.NOT_FOUND, message: `not in the archive: layer ${hollow.layers[0]} of image` },
    },
    { name: /app:gone$/, error: { code: status.NOT_FOUND, message: `manifest ${gone.digest} of image` } },
  ]);
  await removeImage(set, 'app:whole');
  await set.nothingLeft(t);
});

t.test('a layer that is here already may be missing', async (t) => {
  const set = await importing(t);
  const layout = new Layout();
  const first = layout.manifest([SMALL]);
  await set.take(layout.add(first, 'app:1').tar());
  const second = layout.manifest([SMALL, BIG]);
  layout.add(second, 'app:2').drop(first.layers[0] ?? '');
  t.strictSame((await set.take(layout.tar())).failures, []);
  t.equal(set.images.resolve('app:2')?.id, second.id);
});

t.test('an image that is not what it claims to be is refused, and nothing of it stays', async (t) => {
  const set = await importing(t);
  const layout = () => new Layout();
  const changed = (what: (image: ReturnType<Layout['manifest']>) => string) => {
    const one = layout();
    const image = one.manifest([SMALL]);
    one.add(image, 'app:1').files[pathOf(what(image))] = gzipSync(BIG);
    return one.tar();
  };
  const twice = layout();
  twice.add(twice.manifest([SMALL]), 'app:1').add(twice.manifest([BIG]), 'app:1');
  const foreign = layout();
  foreign.add(foreign.manifest([SMALL], ELSEWHERE), 'app:1');
  for (const [what, bytes, code, message] of [
    ['manifest', changed(({ digest }) => digest), status.DATA_LOSS, /^wrong digest: got sha256.* for manifest/],
    ['config', changed(({ id }) => id), status.DATA_LOSS, /^wrong digest: got sha256.* for config/],
    ['layer', changed(({ layers }) => layers[0] ?? ''), status.DATA_LOSS, /^wrong digest: got sha256/],
    [
      'two of one name',
      twice.tar(),
      status.DATA_LOSS,
      /^two manifests of one name: docker.io\/library\/app:1 in archive a.tar/,
    ],
    ['for another machine', foreign.tar(), status.FAILED_PRECONDITION, /^made for platform "linux\/s390x"/],
    [
      'docker: layer',
      dockerArchive([SMALL], ['app:1'], { files: { '0/layer.tar': BIG } }),
      status.DATA_LOSS,
      /^wrong diff ID/,
    ],
  ] as const) {
    t.match(await set.take(bytes), { images: [], failures: [{ error: { code, message } }] }, what);
    await set.nothingLeft(t);
  }
});

t.test('an archive that cannot be read is refused as a whole', async (t) => {
  const set = await importing(t);
  const layout = new Layout();
  const tar = layout.add(layout.manifest([BIG]), 'app:1').tar();
  const many = { schemaVersion: 2, manifests: Array.from({ length: 1001 }, () => ({})) };
  const config = JSON.stringify({ rootfs: { type: 'layers' } });
  const one = [
    { Config: 'a', RepoTags: ['x:1'], Layers: [] },
    { Config: 'b', RepoTags: ['x:1'], Layers: [] },
  ];
  for (const [what, bytes, message] of [
    ['truncated', tar.subarray(0, tar.length / 2), /^cut off at byte \d+: archive a.tar$/],
    ['no images', tarOf({ readme: 'x' }), /^neither index.json nor manifest.json: archive a.tar/],
    ['not JSON', tarOf({ 'manifest.json': '{' }), /^not JSON: manifest.json in archive a.tar$/],
    [
      'many',
      tarOf({ 'oci-layout': '{"imageLayoutVersion":"1.0.0"}', 'index.json': JSON.stringify(many) }),
      /^1001 entries, more than 1000/,
    ],
    ['huge', tarOf({ 'oci-layout': '{}', 'index.json': Buffer.alloc(5 << 20, ' ') }), /./],
    [
      'huge index',
      tarOf({ 'manifest.json': Buffer.alloc(5 << 20, ' ') }),
      /^larger than 4194304 bytes: manifest.json in archive a.tar$/,
    ],
    [
      'of tomorrow',
      tarOf({ 'oci-layout': '{"imageLayoutVersion":"2.0.0"}', 'index.json': '{}' }),
      /^unknown version of the layout: "2.0.0"/,
    ],
    [
      'two of one name',
      tarOf({ a: config, b: `${config} `, 'manifest.json': JSON.stringify(one) }),
      /^two manifests of one name/,
    ],
    ['bad name', dockerArchive([SMALL], ['APP/../x']), /image reference/],
  ] as const) {
    await t.rejects(set.take(bytes), { message }, what);
    await set.nothingLeft(t);
  }
  await t.rejects(set.stream(gzipSync(tar).subarray(0, 1000)), { code: status.DATA_LOSS }, 'a truncated stream');
  await set.nothingLeft(t);
  await t.rejects(set.imports.file('/dev/zero', 'archive zero', false), {
    message: /^not a regular file: archive zero$/,
  });
});
