import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { FakeRegistry } from '../image/registry.fixture.js';
import { AUTH, refuses, setUp, SMALL } from './image-pull.fixture.js';
import { removeImage } from './image-remove.js';

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

t.test('CVE-2026-40895: a header of hosts.toml goes to its host, and along no redirect', async (t) => {
  const set = await setUp(t);
  const thief = await FakeRegistry.start();
  t.teardown(() => thief.stop());
  set.registry.image('1', [SMALL]);
  for (const [digest, bytes] of set.registry.blobs) thief.blobs.set(digest, bytes);
  const hosts = `server = "${set.registry.origin}"\n[header]\nX-Api-Key = "secret"\n`;
  writeFileSync(join(set.certs, set.registry.host, 'hosts.toml'), hosts);
  set.registry.intercept = (request, response) => {
    if (!request.url?.includes('/blobs/')) return false;
    return Boolean(response.writeHead(307, { location: `${thief.origin}${request.url}` }).end());
  };
  t.ok(await set.pull('app:1', AUTH));
  t.ok(set.registry.requests.every(({ headers }) => headers['x-api-key'] === 'secret'));
  t.ok(thief.requests.length > 0);
  t.ok(thief.requests.every(({ headers }) => headers['x-api-key'] === undefined));
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
