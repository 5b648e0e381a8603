import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { OCI_INDEX, tarOf } from '../image/registry.fixture.js';
import { parseReference } from '../image/reference.js';
import { BIG, FAST, setUp, SMALL, UNPACKER } from './image-pull.fixture.js';
import { Pulls } from './image-pull.js';
import { removeImage } from './image-remove.js';
import { openImages } from './image-runtime.js';

t.test('a pull makes an image that every name finds, and removal leaves nothing', async (t) => {
  const set = await setUp(t);
  const { id, digest } = set.registry.image('1', [BIG, SMALL, BIG], {
    config: { User: '1002:5', Env: ['A=1'], Labels: { ['__proto__']: 'x' } },
  });
  const image = await set.pull('app/web:1');
  const name = `${set.registry.host}/app/web`;
  t.equal(image.id, id);
  t.strictSame([image.repoTags, image.repoDigests], [[`${name}:1`], [`${name}@${digest}`]]);
  t.equal(image.layers.length, 3);
  const stored = await set.images.read(id);
  t.match(stored?.identity, { passwd: 'root:x:0:0::/:/bin/sh\n', group: '' });
  t.ok(Object.isFrozen(stored?.config.env));
  for (const known of [id, id.slice(7), id.slice(7, 22), `${name}:1`, `${name}@${digest}`])
    t.equal(set.images.resolve(known), image, known);
  t.equal(set.images.resolve(`${name}:2`), undefined);
  const lower = set.layers.lowerDirs(image.layers.map((layer) => layer.diffId));
  t.equal(lower.length, 2, 'overlayfs refuses a directory that comes twice');
  t.equal(readFileSync(join(lower[1] ?? '', 'hello'), 'utf8'), 'world');

  const again = await openImages(set.config, set.log, UNPACKER);
  t.strictSame(again.images.resolve(`${name}:1`), image, 'a restart reads the same record');

  await set.pull(`app/other@${digest}`);
  t.strictSame(set.images.resolve(id)?.repoTags, [`${name}:1`]);
  t.equal(set.images.resolve(id)?.repoDigests.length, 2);
  await Promise.all(Array.from({ length: 5 }, () => removeImage(set, `${name}:1`)));
  t.equal(set.images.resolve(id), undefined);
  t.strictSame(await set.leftovers(), []);
});

t.test('a layer that a container holds outlives its image', async (t) => {
  const set = await setUp(t);
  const { layers } = (set.registry.image('1', [SMALL]), await set.pull('app:1'));
  const diffIds = layers.map((layer) => layer.diffId);
  set.layers.retain(diffIds);
  await removeImage(set, `${set.registry.host}/app:1`);
  t.ok(set.layers.get(diffIds[0] ?? ''));
  await set.layers.release(diffIds);
  t.strictSame(await set.leftovers(), []);
});

t.test('a tag that moved names the new image only', async (t) => {
  const set = await setUp(t);
  const first = (set.registry.image('1', [SMALL]), await set.pull('app:1'));
  const second = (set.registry.image('1', [BIG]), await set.pull('app:1'));
  t.strictSame(set.images.get(first.id)?.repoTags, []);
  t.equal(set.images.resolve(`${set.registry.host}/app:1`)?.id, second.id);
});

t.test('an image without layers has an empty root', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', []);
  const image = await set.pull('app:1');
  t.ok(image.size > 0);
  t.strictSame(readdirSync(set.layers.lowerDirs([])[0] ?? ''), []);
});

t.test('requests for the same image share one pull', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [BIG]);
  const images = await Promise.all([1, 2, 3].map(() => set.pull('app:1')));
  t.equal(new Set(images).size, 1);
  t.equal(set.registry.requests.filter(({ url }) => url.includes('/manifests/')).length, 1);
});

t.test('an index leads to the image of this platform', async (t) => {
  const set = await setUp(t);
  const { digest, size, mediaType, id } = set.registry.image('x', [SMALL]);
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const index = set.registry.put('1', OCI_INDEX, {
    schemaVersion: 2,
    manifests: [
      { digest: `sha256:${'0'.repeat(64)}`, size, mediaType, platform: { os: 'linux', architecture: 's390x' } },
      { digest, size, mediaType, platform: { os: 'linux', architecture } },
    ],
  });
  const image = await set.pull('app:1');
  t.equal(image.id, id);
  t.strictSame(image.repoDigests, [`${set.registry.host}/app@${index.digest}`]);
});

t.test('an index has the last word on the platform', async (t) => {
  const set = await setUp(t);
  const image = set.registry.image('x', [SMALL], { platform: { architecture: 's390x' } });
  const { digest, size, mediaType } = image;
  const platform = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch };
  set.registry.put('1', OCI_INDEX, { schemaVersion: 2, manifests: [{ digest, size, mediaType, platform }] });
  t.equal(
    (await set.pull('app:1')).id,
    image.id,
    'builders that copy their own architecture into a configuration exist',
  );
});

t.test('connection cut in mid-layer is resumed where it broke', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [BIG]);
  const ranges: Array<string | undefined> = [];
  set.registry.intercept = (request, response) => {
    if (!request.url?.includes('/blobs/')) return false;
    const blob = set.registry.blobs.get(request.url.split('/').at(-1) ?? '') as Buffer;
    if (blob.length < 100_000) return false;
    ranges.push(request.headers.range);
    if (ranges.length > 1) return false;
    response.writeHead(200, { 'content-length': blob.length });
    response.write(blob.subarray(0, 100_000), () => setImmediate(() => request.socket.destroy()));
    return true;
  };
  await set.pull('app:1');
  t.equal(ranges.length, 2);
  t.match(ranges[1], /^bytes=[1-9]\d*-$/);
});

t.test('small layers do not wait for one another', async (t) => {
  const set = await setUp(t);
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const { manifest } = set.registry.image(
    '1',
    names.map((name) => tarOf({ [name]: name })),
  );
  const digests = manifest.layers.map(({ digest }) => digest);
  const waiting: Array<() => void> = [];
  set.registry.intercept = (request, response) => {
    const digest = digests.find((one) => request.url?.endsWith(one));
    if (!digest) return false;
    waiting.push(() => response.end(set.registry.blobs.get(digest)));
    // Nobody is answered before all have asked.
    if (waiting.length === names.length) for (const answer of waiting) answer();
    return true;
  };
  t.equal((await set.pull('app:1')).layers.length, names.length);
});

t.test('an overloaded registry is asked again', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [SMALL]);
  let refusals = 0;
  set.registry.intercept = (_request, response) =>
    refusals++ < 2 && Boolean(response.writeHead(refusals === 1 ? 429 : 502).end());
  t.ok(await set.pull('app:1'));
});

t.test('after a power loss only what is damaged is pulled again', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [SMALL]);
  set.registry.image('2', [BIG]);
  const [small, big] = [await set.pull('app:1'), await set.pull('app:2')];
  truncateSync(join(set.layers.lowerDirs(big.layers.map((layer) => layer.diffId))[0] ?? '', 'noise'), 0);
  const mark = join(set.root, 'layers.json');
  writeFileSync(mark, JSON.stringify({ ...JSON.parse(readFileSync(mark, 'utf8')), boot: 'the one before' }));
  const again = await openImages(set.config, set.log, UNPACKER);
  t.strictSame(again.images.list(), [small]);
  const pulls = new Pulls(again, FAST);
  t.teardown(() => pulls.close());
  t.equal((await pulls.pull(parseReference(`${set.registry.host}/app:2`), null)).id, big.id);
  t.equal(again.layers.usage().bytes, set.layers.usage().bytes);
  await again.layers.trash.empty();
});
