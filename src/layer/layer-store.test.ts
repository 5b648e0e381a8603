import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { sha256, tarOf } from '../image/registry.fixture.js';
import { LayerStore } from './layer-store.js';
import { Slots } from '../base/slots.js';

const UNPACKER = [process.execPath, fileURLToPath(new URL('unpack.fixture.js', import.meta.url))] as const;
const never = new AbortController().signal;

const open = (root: string, boot = 'this') =>
  LayerStore.open({ root, unpacker: UNPACKER, log: pino({ level: 'silent' }), boot });

const setUp = async (t: Test) => {
  const root = t.testdir();
  const store = await open(root);
  const leftovers = async () => {
    await store.trash.empty();
    return ['layers', 'trash'].flatMap((name) => readdirSync(join(root, name))).filter((name) => name !== 'empty');
  };
  return { root, store, leftovers };
};

/** A layer of one file, and how often its bytes were asked for. */
const layerOf = (content: string, gate: Promise<unknown> = Promise.resolve()) => {
  const tar = tarOf({ file: content });
  const source = {
    diffId: sha256(tar),
    blobDigest: sha256(tar),
    what: `layer ${content}`,
    from: 'registry.example',
    small: false,
    slots: new Slots(2),
    opened: 0,
    open: async function* () {
      source.opened++;
      yield tar.subarray(0, 512);
      await gate;
      yield tar.subarray(512);
    },
  };
  return source;
};
const held = () => {
  let release = () => undefined as void;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { gate, release };
};

t.test('callers that want one layer share the work, and each holds it', async (t) => {
  const { store, leftovers } = await setUp(t);
  const layer = layerOf('a');
  const got = await Promise.all([1, 2, 3].map(() => store.acquire(layer, never)));
  t.equal(layer.opened, 1);
  t.equal(new Set(got).size, 1);
  t.equal(readFileSync(join(store.path(layer.diffId), 'file'), 'utf8'), 'a');
  for (let holders = 3; holders > 0; holders--) {
    t.ok(store.get(layer.diffId));
    await store.release([layer.diffId]);
  }
  t.equal(store.get(layer.diffId), undefined);
  t.strictSame(await leftovers(), []);
  await store.release([layer.diffId]);
  t.strictSame(store.usage(), { bytes: 0, inodes: 0 });
});

t.test('a caller that is aborted leaves the others alone', async (t) => {
  const { store, leftovers } = await setUp(t);
  const { gate, release } = held();
  const layer = layerOf('a', gate);
  const [first, second] = [new AbortController(), new AbortController()];
  const running = store.acquire(layer, first.signal);
  const waiting = store.acquire(layer, second.signal);
  const third = store.acquire(layer, never);
  while (layer.opened === 0) await new Promise((resolve) => setImmediate(resolve));
  second.abort(new Error('second leaves'));
  await t.rejects(waiting, { message: 'second leaves' });
  first.abort(new Error('first leaves'));
  await t.rejects(running, { message: 'first leaves' });
  release();
  t.ok(await third, 'it takes the work over');
  t.equal(layer.opened, 2);
  await store.release([layer.diffId]);
  t.strictSame(await leftovers(), []);
});

t.test('a registry that trickles holds up nobody who gets the same layer from another one', async (t) => {
  const { store, leftovers } = await setUp(t);
  const { gate, release } = held();
  const slow = layerOf('a', gate);
  const trickling = store.acquire(slow, never);
  while (slow.opened === 0) await new Promise((resolve) => setImmediate(resolve));
  const layer = await store.acquire({ ...layerOf('a'), from: 'other.example' }, never);
  release();
  t.equal(await trickling, layer, 'of two copies the first stays');
  await store.release([slow.diffId]);
  t.ok(existsSync(join(store.path(slow.diffId), 'file')), 'both hold it');
  await store.release([slow.diffId]);
  t.strictSame(await leftovers(), []);
});

t.test('copies of a layer that are complete at the same time', async (t) => {
  const { store, leftovers } = await setUp(t);
  const copies = ['a', 'b', 'c', 'd'].map((from) => store.acquire({ ...layerOf('same'), from }, never));
  const layers = await Promise.all(copies);
  t.equal(new Set(layers).size, 1);
  await store.release(layers.map(({ diffId }) => diffId));
  t.strictSame(await leftovers(), []);
});

t.test('what fails leaves nothing and names its layer', async (t) => {
  const { store, leftovers } = await setUp(t);
  const other = `sha256:${'1'.repeat(64)}`;
  await t.rejects(store.acquire({ ...layerOf('a'), diffId: other }, never), {
    code: status.DATA_LOSS,
    message: /^wrong diff ID: .*: layer a;/,
  });
  await t.rejects(store.acquire({ ...layerOf('a'), blobDigest: other }, never), {
    code: status.DATA_LOSS,
    message: /^wrong digest: .*: layer a;/,
  });
  await t.rejects(store.acquire({ ...layerOf('a'), diffId: '../../x' }, never), { code: status.DATA_LOSS });
  t.strictSame(await leftovers(), []);
  t.ok(await store.acquire(layerOf('a'), never), 'and does not stand in the way');
});

t.test('a layer that leaves and comes back at once', async (t) => {
  const { store } = await setUp(t);
  const layer = layerOf('a');
  for (let round = 0; round < 3; round++) {
    await store.acquire(layer, never);
    const [, again] = await Promise.all([store.release([layer.diffId]), store.acquire(layer, never)]);
    t.ok(again);
    t.ok(existsSync(join(store.path(layer.diffId), 'file')));
    await store.release([layer.diffId]);
  }
});

t.test('overlayfs gets each directory once, topmost first, and at least one', async (t) => {
  const { store } = await setUp(t);
  const [a, b] = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`];
  t.strictSame(store.lowerDirs([a, b, a]), [store.path(a), store.path(b)]);
  t.strictSame(store.lowerDirs([]), [join(store.directory, 'empty/fs')]);
  t.strictSame(readdirSync(join(store.directory, 'empty/fs')), []);
});

t.test('a start takes over what is whole and sweeps what nobody holds', async (t) => {
  const { root, store } = await setUp(t);
  const [a, b, torn] = [layerOf('a'), layerOf('b'), layerOf('c')];
  for (const layer of [a, b, torn]) await store.acquire(layer, never);
  truncateSync(join(store.path(torn.diffId), '../layer.json'), 20);
  writeFileSync(join(root, 'layers', 'tmp-0'), '');
  const again = await open(root);
  t.strictSame(again.get(a.diffId), store.get(a.diffId));
  t.equal(again.get(torn.diffId), undefined);
  again.retain([a.diffId]);
  await again.sweep();
  await again.trash.empty();
  t.strictSame(readdirSync(join(root, 'layers')).toSorted(), [a.diffId.slice(7), 'empty'].toSorted());
  t.strictSame(readdirSync(join(root, 'trash')), []);
});

t.test('after a power loss layers of the last session are verified, and only what is damaged goes', async (t) => {
  const { root, store } = await setUp(t);
  const [early, whole, short] = [layerOf('early'), layerOf('whole'), layerOf('short')];
  await store.acquire(early, never);
  await store.close();
  const second = await open(root);
  await second.acquire(whole, never);
  await second.acquire(short, never);
  for (const layer of [early, short]) truncateSync(join(store.path(layer.diffId), 'file'), 0);

  const killed = await open(root);
  t.ok(killed.get(short.diffId), 'a daemon that was killed did not lose what the kernel has');
  const lost = await open(root, 'another');
  t.strictSame(
    [early, whole, short].map(({ diffId }) => lost.get(diffId) !== undefined),
    [true, true, false],
  );
  t.ok(await lost.acquire(short, never), 'it can be pulled again');
  await lost.trash.empty();
});

t.test('a disk without room for the mark does not keep the store from opening', async (t) => {
  const root = t.testdir({ 'layers.json.tmp': {} });
  t.ok(await open(root));
});
