import { status } from '@grpc/grpc-js';
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { Daemon } from './harness/daemon.js';
import { type Fault, type FaultyRegistry, startFaultyRegistry } from './harness/faulty-registry.js';
import { buildImage, type Image } from './harness/image.js';
import { programsLayer } from './harness/images.js';
import { buildLayer, directory, file, sha256 } from './harness/layer.js';
import { treeOf } from './harness/leaks.js';
import { until } from './harness/wait.js';

let daemon: Daemon;
let registry: FaultyRegistry;
let image: Image;
let reference: string;

t.before(async () => {
  registry = await startFaultyRegistry();
  t.teardown(() => registry.stop());
  daemon = await Daemon.start(t, { network: false });
  await daemon.trust(registry);
  image = buildImage([
    await programsLayer(),
    await buildLayer([directory('d'), file('d/f', 'x'.repeat(100_000))], 'none'),
  ]);
  reference = registry.serve(image, 'good');
});

const pull = (name: string) => daemon.cri.pullImage({ image: { image: name } }, { deadlineMs: 50_000 });

/** A pull that goes wrong in this way: refused with this message, and nothing of it is left. */
const refused = async (
  t: Pick<Test, 'rejects' | 'same'>,
  name: string,
  fault: Fault,
  message: RegExp,
  wanted: { reference?: string; code?: status } = {},
) => {
  const before = await daemon.stored();
  registry.fault = fault;
  const code = wanted.code === undefined ? {} : { code: wanted.code };
  await t.rejects(pull(wanted.reference ?? reference), { ...code, message }, name);
  registry.fault = () => false;
  t.same(await daemon.stored(), before, `${name}: nothing is left`);
  t.same((await daemon.cri.listImages({})).images, []);
};

const onManifest =
  (answer: (...args: Parameters<Fault>) => void): Fault =>
  (content, ...rest) =>
    content?.kind === 'manifest' && (answer(content, ...rest), true);
const onLayer =
  (answer: (...args: Parameters<Fault>) => void): Fault =>
  (content, ...rest) =>
    content?.kind === 'blob' && content.digest !== image.id && (answer(content, ...rest), true);
const reply = (code: number, headers = {}): Fault =>
  onManifest((_content, response) =>
    response.writeHead(code, headers).end(JSON.stringify({ errors: [{ code: 'TEST', message: 'said the registry' }] })),
  );

t.test('references that are none', async (t) => {
  const bad = [
    '',
    'lib/UPPER',
    'a b',
    'host:port/x',
    '../x',
    `x@sha256:${'0'.repeat(63)}`,
    'x@md5:00',
    'x:tag:tag',
    `x:${'t'.repeat(129)}`,
    'https://host/x',
    `${'x/'.repeat(200)}x`,
  ];
  for (const name of bad) await t.rejects(pull(name), { code: status.INVALID_ARGUMENT }, JSON.stringify(name));
});

t.test('what a registry may answer instead', async (t) => {
  await refused(t, '404', () => false, /not in the registry/, {
    reference: `${registry.host}/no/such:1`,
    code: status.NOT_FOUND,
  });
  await refused(t, '401 without a challenge', reply(401), /credentials/);
  await refused(
    t,
    '401 with a token server that refuses',
    reply(401, { 'www-authenticate': `Bearer realm="${registry.url}/token",service="x"` }),
    /401|404|token|unauthori[sz]ed/i,
  );
  await refused(t, '403', reply(403), /403|denied|forbidden/i);
  await refused(t, '500', reply(500), /500|server error/i);
  await refused(
    t,
    'a page of HTML',
    onManifest((_c, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')),
    /not JSON|media type/i,
  );
  await refused(
    t,
    'half a manifest',
    onManifest((content, response) =>
      response.writeHead(200, { 'content-type': content?.mediaType }).end(content?.data.subarray(0, 50)),
    ),
    /manifest|digest|json/i,
  );
  await refused(
    t,
    'a manifest of 100 MiB',
    onManifest((content, response) =>
      response.writeHead(200, { 'content-type': content?.mediaType }).end(Buffer.alloc(100 << 20, 0x20)),
    ),
    /too (large|big)|limit|larger|exceed/i,
  );
});

t.test('a registry that is not there', async (t) => {
  await t.rejects(pull('127.0.0.1:1/x:1'), { code: status.UNKNOWN, details: /^RegistryUnavailable: .*127\.0\.0\.1:1/ });
});

t.test('layers that are not what the manifest says', async (t) => {
  const spoil = (change: (data: Buffer) => Buffer): Fault =>
    onLayer((content, response) => response.writeHead(200).end(change(content?.data ?? Buffer.alloc(0))));
  await refused(
    t,
    'one byte differs',
    // In the middle: of a compressed stream, and of a file's content where nothing is compressed. Either layer may be refused first.
    spoil((data) => {
      const changed = Buffer.from(data);
      const middle = data.length >> 1;
      changed.writeUInt8(~data.readUInt8(middle) & 255, middle);
      return changed;
    }),
    /digest|damaged/i,
  );
  await refused(
    t,
    'longer than announced',
    spoil((data) => Buffer.concat([data, Buffer.alloc(4096)])),
    /size|longer|digest|trailing/i,
  );
  await refused(
    t,
    'another layer',
    spoil(() => Buffer.from('not a layer at all')),
    /cut|digest/i,
  );
  await refused(
    t,
    'gone',
    onLayer((_c, response) => response.writeHead(404).end()),
    /not in the registry/,
  );
});

t.test('a wrong diff ID', async (t) => {
  const layer = await buildLayer([file('f', 'content')]);
  const wrong = registry.serve(buildImage([layer], { diffIds: [sha256('something else')] }), 'wrong-diff-id');
  await refused(t, 'wrong diff ID', () => false, /diff.?id/i, { reference: wrong });
  const short = registry.serve(buildImage([layer, layer], { diffIds: [layer.diffId] }), 'missing-diff-id');
  await refused(t, 'fewer diff IDs than layers', () => false, /diff.?ids?|layers/i, { reference: short });
});

t.test('an image for another machine', async (t) => {
  const other = registry.serve(buildImage([await programsLayer()], { architecture: 's390x' }), 's390x');
  await refused(t, 's390x', () => false, /s390x|platform/i, { reference: other });
});

t.test('compressed data that is broken', async (t) => {
  const good = await buildLayer([file('f', 'x'.repeat(1 << 20))]);
  for (const [name, data] of [
    ['cut', good.data.subarray(0, good.data.length / 2)],
    ['garbage', Buffer.from('this is not gzip'.repeat(100))],
    ['empty', Buffer.alloc(0)],
  ] as const) {
    const broken = buildImage([{ ...good, data, digest: sha256(data) }]);
    await refused(t, name, () => false, /gzip|archive|truncat|empty|checksum|diff/i, {
      reference: registry.serve(broken, `broken-${name}`),
    });
  }
});

t.test('a connection that is cut in the middle of a layer is resumed', async (t) => {
  registry.fault = onceOnLayer((content, response) => {
    response.writeHead(200, { 'content-length': content?.data.length });
    response.write(content?.data.subarray(0, 50_000), () => response.destroy());
  });
  t.match(await pull(reference), { imageRef: image.id });
  registry.fault = () => false;
  await daemon.cri.removeImage({ image: { image: reference } });
});

const onceOnLayer =
  (answer: (...args: Parameters<Fault>) => void): Fault =>
  (content, response, request, attempt) =>
    attempt === 1 &&
    content?.kind === 'blob' &&
    content.digest !== image.id &&
    (answer(content, response, request, attempt), true);

t.test('429 and 503 are asked again', async (t) => {
  let refusals = 0;
  registry.fault = (content, response) => {
    if (content?.kind !== 'manifest' || refusals++ >= 2) return false;
    response.writeHead(refusals === 1 ? 429 : 503, { 'retry-after': '0' }).end();
    return true;
  };
  t.match(await pull(reference), { imageRef: image.id });
  t.ok(refusals > 2);
  registry.fault = () => false;
  await daemon.cri.removeImage({ image: { image: reference } });
});

t.test('1 GiB of zeros in a small layer against a small disk', async (t) => {
  const run = promisify(execFile);
  const small = join(daemon.home, 'small');
  await mkdir(small);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', small]);
  t.teardown(() => run('umount', ['-l', small]));
  const cramped = await Daemon.start(t, { network: false, root: join(small, 'root') });
  await cramped.trust(registry);
  // The header promises 1 GiB; the zeros are compressed as they come.
  const { stdout: zeros } = await run(
    'sh',
    ['-c', 'cd "$1" && truncate -s 1G zeros && tar --create zeros | zstd -q -1 && rm zeros', 'sh', daemon.home],
    { encoding: 'buffer', maxBuffer: 1 << 26 },
  );
  const bomb = { data: zeros, digest: sha256(zeros), diffId: sha256('never reached'), compression: 'zstd' as const };
  const name = registry.serve(buildImage([bomb]), 'bomb');
  const before = await cramped.stored();
  await t.rejects(cramped.cri.pullImage({ image: { image: name } }), {
    code: status.RESOURCE_EXHAUSTED,
    details: /no space/i,
  });
  t.same(await cramped.stored(), before, 'nothing of it is left');
  await until('the disk to be free again', async () => (await treeOf(join(cramped.root, 'trash'))).length === 0);
  t.match(
    await cramped.cri.pullImage({ image: { image: reference } }),
    { imageRef: image.id },
    'and a smaller image fits',
  );
  await cramped.assertNothingLeft(t);
});

t.test('nothing is left', (t) => daemon.assertNothingLeft(t));
