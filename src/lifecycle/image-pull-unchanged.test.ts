import { status } from '@grpc/grpc-js';
import t from 'tap';
import { AUTH, BIG, setUp, SMALL } from './image-pull.fixture.js';

t.test('a tag that has not moved costs one HEAD, which no registry counts as a pull, and no GET', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [SMALL]);
  const first = await set.pull('app:1');
  t.strictSame(
    set.registry.asked('/manifests/'),
    ['GET /v2/app/manifests/1'],
    'an unknown image is not asked for twice',
  );
  set.registry.requests.length = 0;
  t.equal(await set.pull('app:1'), first);
  t.strictSame(set.registry.asked(), ['HEAD /v2/app/manifests/1']);
});

t.test('a digest is asked for too: whoever may not pull must not start the image', async (t) => {
  const set = await setUp(t);
  const { digest } = set.registry.image('1', [SMALL]);
  const first = await set.pull('app:1');
  set.registry.requests.length = 0;
  t.equal(await set.pull(`app@${digest}`), first);
  t.strictSame(set.registry.asked(), [`HEAD /v2/app/manifests/${digest}`]);
  set.registry.intercept = (_request, response) =>
    Boolean(response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end());
  await t.rejects(set.pull(`app@${digest}`), { code: status.UNAUTHENTICATED });
  await t.rejects(set.pull('app:1', AUTH), { code: status.UNAUTHENTICATED });
});

t.test('a second tag of an image that is here costs no GET either, and names it', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [SMALL]);
  const { id, layers } = await set.pull('app:1');
  set.registry.image('2', [SMALL]);
  set.registry.requests.length = 0;
  const second = await set.pull('app:2');
  t.strictSame(set.registry.asked(), ['HEAD /v2/app/manifests/2']);
  t.strictSame([second.id, second.repoTags], [id, ['1', '2'].map((tag) => `${set.registry.host}/app:${tag}`)]);
  await set.images.remove(id);
  await set.layers.release(layers.map((layer) => layer.diffId));
  t.strictSame(await set.leftovers(), [], 'it holds its layers once');
});

t.test('a tag that has moved is pulled', async (t) => {
  const set = await setUp(t);
  const first = (set.registry.image('1', [SMALL]), await set.pull('app:1'));
  const second = (set.registry.image('1', [BIG]), await set.pull('app:1'));
  t.not(second.id, first.id);
  set.registry.image('1', [SMALL]);
  set.registry.requests.length = 0;
  t.equal((await set.pull('app:1')).id, first.id, 'and back');
  t.strictSame(set.registry.asked(), ['HEAD /v2/app/manifests/1']);
});

t.test('what does not know HEAD, or says no digest, is asked with GET', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [SMALL]);
  const { id } = await set.pull('app:1');
  for (const [code, headers] of [
    [405, {}],
    [501, {}],
    [400, {}],
    [200, {}],
    [200, { 'docker-content-digest': 'nonsense' }],
  ] as const) {
    set.registry.requests.length = 0;
    set.registry.intercept = ({ method }, response) =>
      method === 'HEAD' && Boolean(response.writeHead(code, headers).end());
    t.equal((await set.pull('app:1')).id, id);
    t.strictSame(
      set.registry.asked('/manifests/'),
      ['HEAD', 'GET'].map((method) => `${method} /v2/app/manifests/1`),
      `${code}`,
    );
  }
});

t.test('a registry that says no to HEAD has said it', async (t) => {
  const set = await setUp(t);
  set.registry.image('1', [SMALL]);
  await set.pull('app:1');
  for (const [code, expected] of [
    [403, status.PERMISSION_DENIED],
    [404, status.NOT_FOUND],
    [429, status.UNAVAILABLE],
  ] as const) {
    set.registry.requests.length = 0;
    set.registry.intercept = (_request, response) => Boolean(response.writeHead(code).end());
    await t.rejects(set.pull('app:1'), { code: expected });
    t.strictSame(set.registry.asked('GET'), []);
  }
});
