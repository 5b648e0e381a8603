import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { defaultConfig } from '../config.js';
import type { AuthConfig__Output } from '../gen/runtime/v1/AuthConfig.js';
import { parseReference } from '../image/reference.js';
import { FakeRegistry, OCI_INDEX, OCI_MANIFEST, tarOf } from '../image/registry.fixture.js';
import { Pulls } from './image-pull.js';
import { removeImage } from './image-remove.js';
import { openImages } from './image-runtime.js';

const UNPACKER = [process.execPath, fileURLToPath(new URL('../layer/unpack.fixture.js', import.meta.url))] as const;
const FAST = {
  retry: { attempts: 3, baseMs: 5, longestMs: 50 },
  patience: { connectMs: 2000, headersMs: 2000, stallMs: 300 },
};
const AUTH: AuthConfig__Output = {
  username: 'sailor',
  password: 's3cret-wind',
  auth: '',
  serverAddress: '',
  identityToken: '',
  registryToken: '',
};

const setUp = async (t: Test) => {
  const root = mkdtempSync(join(tmpdir(), 'jangada-image-'));
  const registry = await FakeRegistry.start();
  const certs = join(root, 'certs.d');
  registry.allow(certs);
  const config = { ...defaultConfig(), root, registry: { config_path: certs } };
  const opened = await openImages(config, pino({ level: 'silent' }), UNPACKER);
  const pulls = new Pulls(opened, FAST);
  t.teardown(async () => {
    await registry.stop();
    await pulls.close();
    await opened.layers.trash.empty();
    await import('node:fs/promises').then((fs) => fs.rm(root, { recursive: true }));
  });
  const pull = (name: string, auth: AuthConfig__Output | null = null) =>
    pulls.pull(parseReference(`${registry.host}/${name}`), auth);
  /** What a failed pull must look like on disk. */
  const leftovers = async () => {
    await opened.layers.trash.empty();
    return ['images', 'layers', 'trash']
      .flatMap((name) => readdirSync(join(root, name)))
      .filter((name) => name !== 'empty');
  };
  return { ...opened, root, certs, config, registry, pulls, pull, leftovers };
};

/** Asserts the status and that nothing is left. */
const refuses = async (
  t: Test,
  set: Awaited<ReturnType<typeof setUp>>,
  name: string,
  code: status,
  message: RegExp,
  auth: AuthConfig__Output | null = null,
) => {
  await t.rejects(set.pull(name, auth), { code, message });
  t.strictSame(await set.leftovers(), [], 'nothing is left');
};

const BIG = tarOf({ 'etc/passwd': 'root:x:0:0::/:/bin/sh\n', noise: randomBytes(300_000) });
const SMALL = tarOf({ hello: 'world' });

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
  t.match(image.identity, { passwd: 'root:x:0:0::/:/bin/sh\n', group: '' });
  t.ok(Object.isFrozen(image.config.env));
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

t.test('an overloaded registry is asked again', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [SMALL]);
  let refusals = 0;
  set.registry.intercept = (_request, response) =>
    refusals++ < 2 && Boolean(response.writeHead(refusals === 1 ? 429 : 502).end());
  t.ok(await set.pull('app:1'));
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

t.test('bearer tokens are fetched with the right scope and renewed when refused', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [SMALL]);
  let valid = 0;
  set.registry.intercept = (request, response) => {
    const url = new URL(request.url ?? '', set.registry.origin);
    if (url.pathname === '/token') {
      t.equal(url.searchParams.get('scope'), 'repository:app:pull');
      t.equal(request.headers.authorization, `Basic ${Buffer.from('sailor:s3cret-wind').toString('base64')}`);
      response.end(JSON.stringify({ token: `t${++valid}` }));
      return true;
    }
    // The first token is taken once only.
    const fresh =
      request.headers.authorization === `Bearer t${valid}` && (valid > 1 || url.pathname.includes('/manifests/'));
    if (!fresh)
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${set.registry.origin}/token",service="r"` }).end();
    return !fresh;
  };
  t.ok(await set.pull('app:1', AUTH));
  t.equal(valid, 2);
});

t.test('CVE-2020-15157: credentials stay with the registry', async (t) => {
  const set = await setUp(t);
  const thief = await FakeRegistry.start();
  t.teardown(() => thief.stop());
  set.registry.image('1', [SMALL], { manifest: {} });
  for (const [digest, bytes] of set.registry.blobs) thief.blobs.set(digest, bytes);
  set.registry.intercept = (request, response) => {
    if (request.headers.authorization === undefined)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    else if (request.url?.includes('/blobs/'))
      response.writeHead(307, { location: `${thief.origin}${request.url}` }).end();
    else return false;
    return true;
  };
  t.ok(await set.pull('app:1', AUTH));
  t.ok(thief.requests.length > 0);
  t.ok(thief.requests.every(({ headers }) => headers.authorization === undefined && headers.cookie === undefined));

  await removeImage(set, `${set.registry.host}/app:1`);
  thief.intercept = (_request, response) =>
    Boolean(response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end());
  await refuses(t, set, 'app:1', status.UNAUTHENTICATED, /./, AUTH);
  t.ok(thief.requests.every(({ headers }) => headers.authorization === undefined));
});

t.test('a message never holds a secret of a URL', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [SMALL]);
  set.registry.intercept = (request, response) =>
    Boolean(
      request.url?.includes('/blobs/') &&
        response.writeHead(307, { location: 'http://user:pw-secret@127.0.0.1:1/x?sig=query-secret' }).end(),
    );
  const error = await set.pull('app:1', AUTH).catch((error: Error) => error);
  t.notMatch(JSON.stringify([error, (error as Error).message]), /secret|s3cret/);
});
