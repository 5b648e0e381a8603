import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { FakeRegistry } from '../image/registry.fixture.js';
import { AUTH, refuses, setUp, SMALL } from './image-pull.fixture.js';

type Reply = (request: IncomingMessage, response: ServerResponse, attempt: number) => unknown;

const BASIC = `Basic ${Buffer.from(`${AUTH.username}:${AUTH.password}`).toString('base64')}`;
const good: Reply = (_request, response) => response.end('{"token":"good"}');

/** A registry that wants the token `good`, which its token server gives as `reply` says. */
const guarded = async (t: Test, reply: Reply, scope = '') => {
  const set = await setUp(t);
  set.registry.image('1', [SMALL]);
  const asked: URL[] = [];
  set.registry.intercept = (request, response) => {
    const url = new URL(request.url ?? '', set.registry.origin);
    if (url.pathname.startsWith('/token')) {
      asked.push(url);
      reply(request, response, asked.length);
    } else if (request.headers.authorization === 'Bearer good') return false;
    else response.writeHead(401, { 'www-authenticate': `Bearer realm="${set.registry.origin}/token"${scope}` }).end();
    return true;
  };
  return { ...set, asked };
};

t.test('the scope is that of the challenge, all of it', async (t) => {
  const scopes = ['repository:proj/hub/app:pull', 'repository:base:pull'];
  const set = await guarded(t, good, `,scope="${scopes.join(' ')}"`);
  t.ok(await set.pull('app:1'));
  t.strictSame(set.asked[0]?.searchParams.getAll('scope'), scopes);
});

t.test('an access_token counts where the token is empty or absent', async (t) => {
  for (const body of ['{"token":"","access_token":"good"}', '{"access_token":"good"}']) {
    const set = await guarded(t, (_request, response) => response.end(body));
    t.ok(await set.pull('app:1'), body);
  }
  const set = await guarded(t, (_request, response) => response.end('{"token":""}'));
  await refuses(t, set, 'app:1', status.UNAUTHENTICATED, /^no token: /);
});

t.test('a token server that is overloaded is asked again, when it says', async (t) => {
  const set = await guarded(t, (request, response, attempt) => {
    if (attempt === 1) response.writeHead(429, { 'retry-after': '0' }).end();
    else if (attempt === 2) response.writeHead(503).end();
    else good(request, response, attempt);
  });
  t.ok(await set.pull('app:1'));
  t.equal(set.asked.length, 3);
});

t.test('the status decides: a server that is down has refused no pull secret', async (t) => {
  for (const [code, expected, message] of [
    [401, status.UNAUTHENTICATED, /pull secret/],
    [403, status.PERMISSION_DENIED, /^forbidden by the token server .*pull secret/],
    [404, status.UNAVAILABLE, /^token server answered 404: (?!.*pull secret)/],
    [429, status.UNAVAILABLE, /^too many requests/],
    [503, status.UNAVAILABLE, /^token server answered 503: (?!.*pull secret)/],
  ] as const) {
    const set = await guarded(t, (_request, response) => response.writeHead(code).end());
    await refuses(t, set, 'app:1', expected, message, AUTH);
  }
});

t.test('where GET is not allowed a form is sent, with the secret in it', async (t) => {
  const forms: URLSearchParams[] = [];
  const set = await guarded(t, async (request, response) => {
    if (request.method === 'GET') return void response.writeHead(405).end();
    forms.push(new URLSearchParams(await text(request)));
    response.end('{"access_token":"good"}');
  });
  t.ok(await set.pull('app:1', AUTH));
  t.match(Object.fromEntries(forms[0] ?? []), {
    grant_type: 'password',
    username: AUTH.username,
    password: AUTH.password,
    scope: 'repository:app:pull',
  });
});

t.test('redirects of a token server are followed, and secrets do not go along', async (t) => {
  const other = await FakeRegistry.start();
  t.teardown(() => other.stop());
  const bodies: string[] = [];
  other.intercept = (request, response) => {
    void text(request).then((body) => bodies.push(body));
    response.end('{"token":"good"}');
    return true;
  };
  const set = await guarded(t, (request, response) => {
    t.ok(request.method === 'POST' || request.headers.authorization === BASIC);
    response.writeHead(307, { location: `${other.origin}/elsewhere` }).end();
  });
  t.ok(await set.pull('app:1', AUTH));
  t.ok(await set.pull('app:1', { ...AUTH, username: '', password: '', identityToken: 'secret' }));
  t.equal(other.requests.length, 2);
  t.ok(other.requests.every(({ headers }) => headers.authorization === undefined));
  t.strictSame(bodies, ['', '']);

  const own = await guarded(t, (request, response) => {
    if (request.url?.startsWith('/token/x'))
      response.end(JSON.stringify({ token: request.headers.authorization === BASIC ? 'good' : 'bad' }));
    else response.writeHead(302, { location: '/token/x' }).end();
  });
  t.ok(await own.pull('app:1', AUTH), 'at the same place they are the same secrets');
});
