import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { FakeRegistry } from '../image/registry.fixture.js';
import { AUTH, BIG, setUp, SMALL } from './image-pull.fixture.js';

/** A registry with an image `1`, and a mirror in front of it that has the image too. */
const mirrored = async (t: Test) => {
  const set = await setUp(t);
  const mirror = await FakeRegistry.start();
  t.teardown(() => mirror.stop());
  for (const registry of [set.registry, mirror]) registry.image('1', [SMALL, BIG]);
  const hosts = (...lines: string[]) =>
    writeFileSync(
      join(set.certs, set.registry.host, 'hosts.toml'),
      [`server = "${set.registry.origin}"`, ...lines].join('\n'),
    );
  hosts(`[host."${mirror.origin}"]`);
  return { ...set, mirror, hosts };
};

t.test('a mirror that has the image is the only one asked', async (t) => {
  const set = await mirrored(t);
  await set.pull('app:1', AUTH);
  t.equal(set.registry.requests.length, 0);
  t.ok(set.mirror.requests.every(({ url }) => url.endsWith(`?ns=${encodeURIComponent(set.registry.host)}`)));
  t.ok(
    set.mirror.requests.every(({ headers }) => headers.authorization === undefined),
    'it is another party',
  );
});

t.test('a mirror that fails is passed over, whatever it fails at', async (t) => {
  const set = await mirrored(t);
  for (const [name, what, code] of [
    ['no such image', /./, 404],
    ['no such layer', /blobs/, 404],
    ['not for us', /./, 403],
    ['broken', /./, 500],
  ] as const) {
    set.registry.requests.length = 0;
    set.mirror.intercept = (request, response) =>
      what.test(request.url ?? '') && Boolean(response.writeHead(code).end());
    const image = await set.pull('app:1');
    t.ok(set.registry.requests.length > 0, name);
    await set.layers.release(image.layers.map((layer) => layer.diffId));
    await set.images.remove(image.id);
    t.strictSame(await set.leftovers(), []);
  }
});

t.test('a mirror that is not there is passed over', async (t) => {
  const set = await mirrored(t);
  set.hosts('[host."http://127.0.0.1:1"]');
  t.ok(await set.pull('app:1'));
});

t.test('a mirror that sends other bytes is an error, and nothing of them is kept', async (t) => {
  const set = await mirrored(t);
  for (const [digest, blob] of set.mirror.blobs)
    if (blob.length > 100_000) set.mirror.blobs.set(digest, Buffer.alloc(blob.length));
  await t.rejects(set.pull('app:1'), { code: status.DATA_LOSS });
  t.strictSame(await set.leftovers(), []);
});

t.test('a mirror without "resolve" is asked for content only', async (t) => {
  const set = await mirrored(t);
  set.hosts(`[host."${set.mirror.origin}"]`, 'capabilities = ["pull"]');
  await set.pull('app:1');
  t.strictSame(
    set.registry.requests.map(({ url }) => url),
    ['/v2/app/manifests/1'],
  );
  t.ok(set.mirror.requests.length >= 3);
});

t.test('a registry that is named as its own mirror is asked once, and is told its credentials', async (t) => {
  const set = await mirrored(t);
  set.hosts(`[host."${set.registry.origin}"]`);
  const error = (await set.pull('app:none').catch((error: unknown) => error)) as Error;
  t.match(error.message, /^not in the registry: [^;]*; check name and tag$/);
  t.equal(set.registry.requests.length, 1);
  set.registry.intercept = ({ headers }, response) =>
    headers.authorization === undefined &&
    Boolean(response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end());
  t.ok(await set.pull('app:1', AUTH));
});

t.test('a mirror that goes away in the middle of a layer: the rest comes from the registry', async (t) => {
  const set = await mirrored(t);
  const ranges: Array<string | undefined> = [];
  set.registry.intercept = ({ headers, url }) => {
    if (url?.includes('/blobs/')) ranges.push(headers.range);
    return false;
  };
  set.mirror.intercept = (request, response) => {
    const blob = set.mirror.blobs.get(/sha256:[0-9a-f]+/.exec(request.url ?? '')?.[0] ?? '');
    if (!blob || blob.length < 100_000) return false;
    if (request.headers.range) response.writeHead(503).end();
    else {
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, 100_000), () => setImmediate(() => request.socket.destroy()));
    }
    return true;
  };
  t.ok(await set.pull('app:1'));
  t.equal(ranges.length, 1);
  t.match(ranges[0], /^bytes=[1-9]\d*-$/, 'and no more than the rest');
});

t.test('a mirror that sends the beginning of something else is found out by the digest', async (t) => {
  const set = await mirrored(t);
  set.mirror.intercept = (request, response) => {
    const blob = set.mirror.blobs.get(/sha256:[0-9a-f]+/.exec(request.url ?? '')?.[0] ?? '');
    if (!blob || blob.length < 100_000) return false;
    if (request.headers.range) response.writeHead(503).end();
    else {
      response.writeHead(200, { 'content-length': blob.length });
      response.write(Buffer.alloc(1000), () => setImmediate(() => request.socket.destroy()));
    }
    return true;
  };
  await t.rejects(set.pull('app:1'), { code: status.DATA_LOSS });
  t.strictSame(await set.leftovers(), []);
});

t.test('a mirror that takes connections and says nothing is waited for once a pull', async (t) => {
  const set = await mirrored(t);
  set.mirror.intercept = () => true;
  t.ok(await set.pull('app:1'));
  t.equal(set.mirror.requests.length, 1);
});

t.test('a mirror with too many requests is not waited for', async (t) => {
  const set = await mirrored(t);
  set.mirror.intercept = (_request, response) => Boolean(response.writeHead(429, { 'retry-after': '3600' }).end());
  t.ok(await set.pull('app:1'));
  t.equal(set.mirror.asked('/manifests/').length, 1);
});
