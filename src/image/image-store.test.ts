import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { StoredImage } from './image-record.js';
import { ImageStore } from './image-store.js';

const idOf = (digit: string) => `sha256:${digit.repeat(64)}`;

const recordOf = (digit: string, change: Partial<StoredImage> = {}): StoredImage => ({
  version: 1,
  id: idOf(digit),
  repoTags: [],
  repoDigests: [],
  size: 1,
  user: '',
  config: {
    env: ['A=1'],
    entrypoint: [],
    cmd: ['sh'],
    user: '',
    workingDir: '',
    stopSignal: '',
    volumes: [],
    labels: {},
    created: '2026-01-02T03:04:05Z',
    os: 'linux',
    architecture: 'amd64',
  },
  layers: [{ diffId: idOf('f') }],
  identity: { passwd: '', group: '' },
  pinned: false,
  pulledAt: '2026-01-01T00:00:00.000Z',
  ...change,
});

const setUp = async (t: Test) => {
  const directory = t.testdir();
  return { directory, store: await ImageStore.open(directory) };
};
const fileOf = (directory: string, digit: string) => join(directory, `${digit.repeat(64)}.json`);

t.test('names find an image; what is ambiguous or unknown finds none', async (t) => {
  const { store } = await setUp(t);
  const digest = `docker.io/library/app@${idOf('9')}`;
  const { record } = await store.put(recordOf('a', { repoTags: ['docker.io/library/app:1'], repoDigests: [digest] }));
  const twin = { ...recordOf('a'), id: `sha256:${'a'.repeat(12)}${'b'.repeat(52)}` };
  await store.put(twin);
  for (const name of [
    idOf('a'),
    'a'.repeat(64),
    'a'.repeat(13),
    `sha256:${'a'.repeat(20)}`,
    'app:1',
    digest,
    `app@${idOf('9')}`,
  ])
    t.equal(store.resolve(name), record, name);
  for (const name of ['a'.repeat(12), 'a'.repeat(11), 'b'.repeat(12), 'app', 'app:2', '', '../x', 'APP:1', idOf('b')])
    t.equal(store.resolve(name), undefined, name);
  t.equal(store.resolve('a'.repeat(13)), record, 'one digit more tells them apart');
});

t.test('a tag moves to the image that had it last; the other keeps its digest', async (t) => {
  const { directory, store } = await setUp(t);
  const tags = ['docker.io/library/app:1', 'docker.io/library/app:2'];
  await store.put(recordOf('a', { repoTags: tags, repoDigests: [`docker.io/library/app@${idOf('1')}`] }));
  await store.put(recordOf('b', { repoTags: tags.slice(1), pulledAt: '2026-01-02T00:00:00.000Z' }));
  const expected = [
    [idOf('a'), tags.slice(0, 1)],
    [idOf('b'), tags.slice(1)],
  ];
  for (const opened of [store, await ImageStore.open(directory)]) {
    t.strictSame(
      opened.list().map(({ id, repoTags }) => [id, repoTags]),
      expected,
    );
    t.equal(opened.resolve('app:2')?.id, idOf('b'));
    t.equal(opened.resolve(`app@${idOf('1')}`)?.id, idOf('a'));
  }
});

t.test('a tag in two records, as a power loss may leave it, belongs to the younger one', async (t) => {
  const { directory } = await setUp(t);
  const repoTags = ['docker.io/library/app:1'];
  for (const [digit, pulledAt] of [
    ['b', '2026-01-01T00:00:00.000Z'],
    ['a', '2026-01-02T00:00:00.000Z'],
  ] as const)
    writeFileSync(fileOf(directory, digit), JSON.stringify(recordOf(digit, { repoTags, pulledAt })));
  const store = await ImageStore.open(directory);
  t.equal(store.resolve('app:1')?.id, idOf('a'));
  t.strictSame(store.get(idOf('b'))?.repoTags, []);
});

t.test('names are kept in the order of their arrival, and pulled again they stay where they are', async (t) => {
  const { directory, store } = await setUp(t);
  const tags = ['z', 'a', 'm'].map((tag) => `docker.io/library/app:${tag}`);
  for (const tag of [...tags, ...tags.toReversed()]) {
    const { added } = await store.put(
      recordOf('a', { repoTags: [tag], repoDigests: [`docker.io/library/app@${idOf('1')}`] }),
    );
    t.equal(added, tag === tags[0] && store.get(idOf('a'))?.repoTags.length === 1);
  }
  for (const opened of [store, await ImageStore.open(directory)]) t.strictSame(opened.get(idOf('a'))?.repoTags, tags);
  t.equal(store.get(idOf('a'))?.repoDigests.length, 1);
});

t.test('removal is idempotent: of five at the same time one has removed it', async (t) => {
  const { directory, store } = await setUp(t);
  await store.put(recordOf('a', { repoTags: ['docker.io/library/app:1'] }));
  const removed = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const record = await store.remove(idOf('a'));
      t.equal(store.resolve('app:1'), undefined);
      return record;
    }),
  );
  t.equal(removed.filter(Boolean).length, 1);
  t.strictSame(readdirSync(directory), []);
});

t.test('what is not a whole record is removed, everything else stays', async (t) => {
  const { directory, store } = await setUp(t);
  await store.put(recordOf('a', { repoTags: ['docker.io/library/app:1'] }));
  await store.put(recordOf('b'));
  const whole = readFileSync(fileOf(directory, 'b'), 'utf8');
  writeFileSync(join(directory, 'stranger'), 'x');
  writeFileSync(fileOf(directory, 'c'), whole); // under another image's name
  writeFileSync(fileOf(directory, 'd'), '\0'.repeat(whole.length)); // blocks that were never written
  writeFileSync(`${fileOf(directory, 'b')}.tmp`, whole);
  truncateSync(fileOf(directory, 'b'), whole.length - 1);
  t.strictSame(
    (await ImageStore.open(directory)).list().map(({ id }) => id),
    [idOf('a')],
  );
  t.strictSame(readdirSync(directory), [`${'a'.repeat(64)}.json`]);
});

t.test('a record cut at any byte is no image', async (t) => {
  const { directory, store } = await setUp(t);
  await store.put(recordOf('a', { repoTags: ['docker.io/library/app:1'] }));
  const whole = readFileSync(fileOf(directory, 'a'));
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(fileOf(directory, 'a'), whole.subarray(0, length));
    if ((await ImageStore.open(directory)).list().length > 0) t.fail(`cut at ${length}`);
  }
  writeFileSync(fileOf(directory, 'a'), whole);
  t.equal((await ImageStore.open(directory)).list().length, 1);
});

t.test('a record cannot be changed by who reads it, and a label is nothing but a label', async (t) => {
  const { directory, store } = await setUp(t);
  const labels = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
  await store.put(recordOf('a', { config: { ...recordOf('a').config, labels } }));
  const record = await (await ImageStore.open(directory)).read(idOf('a'));
  t.ok(Object.isFrozen(record?.config.env));
  t.equal(Object.getPrototypeOf(record?.config.labels), null);
  t.strictSame(Object.keys(record?.config.labels ?? {}), ['__proto__', 'constructor']);
});

t.test('what strangers write at length is on disk, whatever is done with the image', async (t) => {
  const { directory, store } = await setUp(t);
  const tags = ['docker.io/library/app:1', 'docker.io/library/app:2'];
  const config = { ...recordOf('a').config, labels: { long: 'x'.repeat(100_000) }, user: 'app' };
  const long = recordOf('a', { config, user: 'app', identity: { passwd: 'y'.repeat(100_000), group: '' } });
  await store.put({ ...long, repoTags: tags });
  await store.put({ ...long, repoTags: tags });
  await store.put(recordOf('b', { repoTags: tags.slice(1) }));
  const opened = await ImageStore.open(directory);
  for (const images of [store, opened]) {
    t.ok(JSON.stringify(images.list()).length < 2000);
    t.equal(images.get(idOf('a'))?.user, 'app');
    t.match(await images.read(idOf('a')), { ...long, repoTags: tags.slice(0, 1) });
  }
  await opened.remove(idOf('a'));
  t.equal(await opened.read(idOf('a')), undefined);
});

t.test('a tag that is taken away is gone, from disk too; the image stays', async (t) => {
  const { directory, store } = await setUp(t);
  const tags = ['docker.io/library/app:1', 'docker.io/library/app:2'];
  await store.put(recordOf('a', { repoTags: tags }));
  t.match(await store.untag(tags[0] ?? ''), { id: idOf('a'), repoTags: [tags[1]] });
  t.equal(await store.untag(tags[0] ?? ''), undefined);
  t.equal(store.resolve('app:1'), undefined);
  const again = await ImageStore.open(directory);
  t.strictSame(again.list(), store.list());
});
