import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { OCI_INDEX, OCI_MANIFEST, sha256, tarOf } from '../image/registry.fixture.js';
import { BIG, refuses, setUp, SMALL } from './image-pull.fixture.js';

t.test('stalled layer ends by the stall timer', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [BIG]);
  set.registry.intercept = (request, response) => {
    if (!request.url?.includes('/blobs/')) return false;
    const blob = set.registry.blobs.get(request.url.split('/').at(-1) ?? '') as Buffer;
    if (blob.length < 100_000) return false;
    if (request.headers.range) request.socket.destroy();
    else response.writeHead(200, { 'content-length': blob.length }).write(blob.subarray(0, 1000));
    return true;
  };
  await refuses(t, set, 'app:1', status.UNAVAILABLE, /registry does not answer|connection cut/);
});

t.test('bad answers have a status and leave nothing', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [BIG, SMALL]);
  await refuses(t, set, 'app:none', status.NOT_FOUND, /not in the registry.*app.*check name and tag/);
  for (const [code, expected] of [
    [403, status.PERMISSION_DENIED],
    [401, status.UNAUTHENTICATED],
    [429, status.UNAVAILABLE],
    [503, status.UNAVAILABLE],
  ] as const) {
    set.registry.intercept = (_request, response) => Boolean(response.writeHead(code, { 'retry-after': '0' }).end('x'));
    await refuses(t, set, 'app:1', expected, /./);
  }
});

t.test('wrong bytes are refused', async (t) => {
  const set = await setUp(t);
  const { manifest } = set.registry.image('1', [BIG, SMALL]);
  const blob = manifest.layers[0]?.digest ?? '';
  const right = set.registry.blobs.get(blob) as Buffer;
  const other = set.registry.blobs.get(
    set.registry.image('2', [tarOf({ hello: 'w0rld' })]).manifest.layers[0]?.digest ?? '',
  ) as Buffer;
  set.registry.blobs.set(blob, Buffer.concat([right, Buffer.from('x')]));
  await refuses(t, set, 'app:1', status.DATA_LOSS, /longer than/);
  set.registry.image('3', [SMALL], { diffIds: [`sha256:${'1'.repeat(64)}`] });
  await refuses(t, set, 'app:3', status.DATA_LOSS, /wrong diff ID/);
  const small = set.registry.image('4', [SMALL]).manifest.layers[0]?.digest ?? '';
  set.registry.blobs.set(small, other);
  await refuses(t, set, 'app:4', status.DATA_LOSS, /wrong digest|longer than/);
  set.registry.image('5', [SMALL, BIG], { diffIds: [`sha256:${'1'.repeat(64)}`] });
  await refuses(t, set, 'app:5', status.DATA_LOSS, /2 layers and 1 diff IDs/);
});

t.test('a manifest that does not have the digest asked for is refused', async (t) => {
  const set = await setUp(t);
  const { digest } = set.registry.image('1', [SMALL]);
  set.registry.manifests.set(digest, { type: OCI_MANIFEST, bytes: Buffer.from('{"schemaVersion":2}') });
  await refuses(t, set, `app@${digest}`, status.DATA_LOSS, /wrong digest/);
});

t.test('CVE-2023-25153: documents without end are cut off', async (t) => {
  const set = await setUp(t);
  set.registry.put('big', OCI_MANIFEST, Buffer.alloc((4 << 20) + 1, ' '));
  await refuses(t, set, 'app:big', status.RESOURCE_EXHAUSTED, /larger than/);
  const spaces = Buffer.alloc(1 << 20, ' ');
  set.registry.intercept = (_request, response) => {
    response.writeHead(200, { 'content-type': OCI_MANIFEST });
    const more = () => void (response.destroyed || response.write(spaces, more));
    more();
    return true;
  };
  await refuses(t, set, 'app:endless', status.RESOURCE_EXHAUSTED, /larger than/);
});

t.test('CVE-2021-41190: one blob has one meaning', async (t) => {
  const set = await setUp(t);
  const { manifest } = set.registry.image('x', [SMALL]);
  set.registry.put('both', OCI_MANIFEST, { ...manifest, manifests: [] });
  await refuses(t, set, 'app:both', status.DATA_LOSS, /fields of an index/);
  set.registry.put('header', OCI_INDEX, manifest);
  await refuses(t, set, 'app:header', status.DATA_LOSS, /two media types/);
  set.registry.put('plain', 'text/plain', manifest);
  await refuses(t, set, 'app:plain', status.DATA_LOSS, /neither a manifest nor an index/);
  set.registry.put('one', 'application/vnd.docker.distribution.manifest.v1+prettyjws', {
    schemaVersion: 1,
    fsLayers: [],
  });
  await refuses(t, set, 'app:one', status.FAILED_PRECONDITION, /schema 1/);
});

t.test('CVE-2026-53493: index bombs are refused after a few requests', async (t) => {
  const set = await setUp(t);
  let child = set.registry.put('leaf', OCI_INDEX, { schemaVersion: 2, manifests: [] });
  for (let depth = 0; depth < 50; depth++)
    child = set.registry.put('deep', OCI_INDEX, { schemaVersion: 2, manifests: [child] });
  await refuses(t, set, 'app:deep', status.DATA_LOSS, /nested deeper/);
  t.ok(set.registry.requests.length <= 4);
  set.registry.put('wide', OCI_INDEX, { schemaVersion: 2, manifests: Array(1001).fill(child) });
  await refuses(t, set, 'app:wide', status.DATA_LOSS, /more than 1000/);
});

t.test('CVE-2024-3727, CVE-2026-95839: malformed digests and fields are refused before they are used', async (t) => {
  const set = await setUp(t);
  const { manifest } = set.registry.image('x', [SMALL]);
  const bad = [
    'sha256:../../x',
    `sha256:${'A'.repeat(64)}`,
    'sha512:abc',
    'md5:0',
    `sha256:${'a'.repeat(64)}\n`,
    7,
    null,
    ':',
  ];
  for (const digest of bad) {
    set.registry.put('layer', OCI_MANIFEST, { ...manifest, layers: [{ ...manifest.layers[0], digest }] });
    await refuses(t, set, 'app:layer', status.DATA_LOSS, /malformed digest/);
    set.registry.put('config', OCI_MANIFEST, { ...manifest, config: { ...manifest.config, digest } });
    await refuses(t, set, 'app:config', status.DATA_LOSS, /malformed digest/);
    set.registry.image('diff', [SMALL], { diffIds: [digest] });
    await refuses(t, set, 'app:diff', status.DATA_LOSS, /malformed digest/);
  }
  for (const manifests of [null, {}, [null], [7], [{}]]) {
    set.registry.put('index', OCI_INDEX, { schemaVersion: 2, manifests });
    await refuses(t, set, 'app:index', status.DATA_LOSS, /./);
  }
});

t.test('a message names the cause, then the layer and the image', async (t) => {
  const set = await setUp(t);
  const bad = Buffer.from('this is no archive');
  const [layer] = set.registry.image('1', [bad]).manifest.layers;
  const object = `layer ${layer?.digest} of ${set.registry.host}/app:`;
  await refuses(t, set, 'app:1', status.DATA_LOSS, new RegExp(`^[^:]*tar.*: ${object}1$`));
  const [small] = set.registry.image('2', [SMALL], { diffIds: [`sha256:${'1'.repeat(64)}`] }).manifest.layers;
  const named = `layer ${small?.digest} of ${set.registry.host}/app:2`;
  await refuses(
    t,
    set,
    'app:2',
    status.DATA_LOSS,
    new RegExp(`^wrong diff ID: got .* instead of sha256:1+: ${named};`),
  );
});

t.test('an image without an index for another machine is refused', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [SMALL], { platform: { architecture: 's390x' } });
  await refuses(t, set, 'app:1', status.FAILED_PRECONDITION, /made for platform "linux\/s390x", not for linux.*app:1/);
  set.registry.image('2', [SMALL], { platform: { os: 'windows' } });
  await refuses(t, set, 'app:2', status.FAILED_PRECONDITION, /windows/);
});

t.test('layers with sha512 digests are checked', async (t) => {
  const set = await setUp(t);
  const gzip = gzipSync(SMALL);
  const put = (digest: string) => {
    set.registry.blobs.set(digest, gzip);
    const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: gzip.length };
    set.registry.image('1', [SMALL], { manifest: { layers: [layer] } });
  };
  put(`sha512:${'5'.repeat(128)}`);
  await refuses(t, set, 'app:1', status.DATA_LOSS, /^wrong digest: got sha512:.* instead of sha512:5+: layer sha512:/);
  put(`sha512:${createHash('sha512').update(gzip).digest('hex')}`);
  t.equal((await set.pull('app:1')).layers.length, 1);
});

t.test('a layer that is finished when another one fails goes too', async (t) => {
  const set = await setUp(t);
  const { manifest } = set.registry.image('1', [SMALL, BIG]);
  set.registry.intercept = (request, response) => {
    if (!request.url?.includes(manifest.layers[1]?.digest ?? '-')) return false;
    const whenUnpacked = () => {
      if (set.layers.get(sha256(SMALL))) response.writeHead(404).end();
      else setImmediate(whenUnpacked);
    };
    whenUnpacked();
    return true;
  };
  await refuses(t, set, 'app:1', status.NOT_FOUND, /not in the registry/);
  set.registry.intercept = () => false;
  t.equal((await set.pull('app:1')).layers.length, 2, 'and nothing stands in the way of the next pull');
});
