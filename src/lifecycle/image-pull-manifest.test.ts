import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { OCI_INDEX, OCI_MANIFEST, tarOf } from '../image/registry.fixture.js';
import { refuses, setUp, SMALL } from './image-pull.fixture.js';

const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const OWN = process.arch === 'x64' ? 'amd64' : process.arch;

t.test('configurations of old public images have odd media types, in the old format alone', async (t) => {
  const set = await setUp(t);
  const { id, manifest } = set.registry.image('x', [SMALL]);
  for (const mediaType of ['application/octet-stream', 'application/json', 'text/html', '', undefined]) {
    const config = { ...manifest.config, mediaType };
    set.registry.put('old', DOCKER_MANIFEST, { ...manifest, mediaType: DOCKER_MANIFEST, config });
    t.equal((await set.pull('app:old')).id, id, String(mediaType));
    set.registry.put('new', OCI_MANIFEST, { ...manifest, config });
    await t.rejects(set.pull('app:new'), { code: status.FAILED_PRECONDITION, message: /^not a container image: / });
  }
});

t.test('an image without layers, however it says so', async (t) => {
  const set = await setUp(t);
  for (const layers of [null, undefined, []]) {
    set.registry.image('1', [], { manifest: { layers } });
    t.strictSame((await set.pull('app:1')).layers, [], String(layers));
  }
});

t.test('one odd entry of an index is not the business of the others', async (t) => {
  const set = await setUp(t);
  const { id, digest, size, mediaType } = set.registry.image('x', [SMALL]);
  const good = { digest, size, mediaType, platform: { os: 'linux', architecture: OWN, variant: null } };
  const odd = [
    null,
    7,
    {},
    { ...good, digest: 'md5:0' },
    { ...good, size: -1 },
    { ...good, mediaType: 'application/vnd.example.tomorrow' },
    { ...good, platform: { os: 'linux' } },
    { ...good, platform: 'linux/amd64' },
  ];
  set.registry.put('1', OCI_INDEX, { schemaVersion: 2, manifests: [...odd, good] });
  t.equal((await set.pull('app:1')).id, id);
  for (const entry of odd.slice(3, 6)) {
    set.registry.put('2', OCI_INDEX, { schemaVersion: 2, manifests: [entry] });
    await t.rejects(set.pull('app:2'), { message: /malformed digest|no size|entry of type/ });
  }
});

t.test('entries without a platform are judged by their configurations', async (t) => {
  const set = await setUp(t);
  const [other, own] = ['s390x', OWN].map((architecture) => {
    const { id, digest, size, mediaType } = set.registry.image('x', [tarOf({ hello: architecture })], {
      platform: { architecture },
    });
    return { id, entry: { digest, size, mediaType } };
  });
  set.registry.put('1', OCI_INDEX, { schemaVersion: 2, manifests: [other?.entry, own?.entry] });
  t.equal((await set.pull('app:1')).id, own?.id);
  set.registry.put('2', OCI_INDEX, { schemaVersion: 2, manifests: [other?.entry, other?.entry] });
  await t.rejects(set.pull('app:2'), {
    code: status.FAILED_PRECONDITION,
    message: /^made for platform "linux\/s390x", not for linux\/.*app:2$/,
  });
  set.registry.put('3', OCI_INDEX, { schemaVersion: 2, manifests: Array(100).fill(other?.entry) });
  set.registry.requests.length = 0;
  await t.rejects(set.pull('app:3'), { code: status.DATA_LOSS, message: /more than 32 manifests/ });
  t.ok(set.registry.requests.length < 80);
});

t.test('an image that cannot start, because it has too many layers, is refused with the limit', async (t) => {
  const set = await setUp(t);
  const layers = Array.from({ length: 500 }, (_, number) => tarOf({ [`f${number}`]: '' }));
  set.registry.image('1', layers);
  await refuses(t, set, 'app:1', status.FAILED_PRECONDITION, /^500 layers, more than the 498 .*: image .*app:1/);
  t.strictSame(set.registry.asked('/blobs/').length, 1, 'nothing but the configuration is fetched');
  set.registry.image('2', Array<Buffer>(600).fill(SMALL));
  t.equal((await set.pull('app:2')).layers.length, 600, 'a layer that comes again takes no place');
});

t.test('ten redirects are followed, with the signature as it was given', async (t) => {
  const set = await setUp(t);
  const { manifest } = set.registry.image('1', [SMALL]);
  const SIGNED = "/signed/%7e'a|b?sig=a%2Fb+c&x='%41'";
  const last: string[] = [];
  const redirects = (most: number) => {
    let hops = 0;
    set.registry.intercept = (request, response) => {
      const url = request.url ?? '';
      if (url.startsWith('/signed/')) last.push(url);
      if (url.startsWith('/signed/') && hops >= most) return Boolean(response.end(gzipSync(SMALL)));
      if (!url.startsWith('/signed/') && !url.includes(manifest.layers[0]?.digest ?? '-')) return false;
      hops++;
      return Boolean(response.writeHead(307, { location: SIGNED }).end());
    };
  };
  redirects(11);
  await refuses(t, set, 'app:1', status.DATA_LOSS, /more than 10 redirects/);
  redirects(10);
  t.ok(await set.pull('app:1'));
  t.strictSame([...new Set(last)], [SIGNED]);
});

t.test('a request that timed out at the registry is asked again', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [SMALL]);
  let first = true;
  set.registry.intercept = (_request, response) => {
    if (!first) return false;
    first = false;
    return Boolean(response.writeHead(408).end());
  };
  t.ok(await set.pull('app:1'));
});
