import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { defaultConfig } from '../base/config.js';
import type { ImageSpec__Output } from '../gen/runtime/v1/ImageSpec.js';
import type { StoredImage } from '../image/image-record.js';
import { openImages } from '../lifecycle/image-runtime.js';
import { Timelines } from '../lifecycle/timelines.js';
import { Journal } from '../store/journal.js';
import { ObjectStore } from '../store/object-store.js';
import type { Sandbox } from '../store/sandbox.js';
import { imageFsInfo } from './image-fs-info.js';
import { listImages } from './image-list.js';
import { pullImage } from './image-pull.js';
import { removeImage } from './image-remove.js';
import { toImage } from './image-shape.js';
import { imageStatus } from './image-status.js';

const ID = `sha256:${'a'.repeat(64)}`;
const NAME = 'registry.example/app';
const DIGEST = `${NAME}@sha256:${'d'.repeat(64)}`;

const recordOf = (change: Partial<StoredImage> = {}, user = ''): StoredImage => ({
  version: 1,
  id: ID,
  repoTags: [`${NAME}:2`, `${NAME}:1`],
  repoDigests: [DIGEST],
  size: 7,
  user,
  config: {
    env: ['A=1'],
    entrypoint: ['/init'],
    cmd: ['x'],
    user,
    workingDir: '/w',
    stopSignal: 'SIGINT',
    volumes: ['/v'],
    labels: { l: '1' },
    created: '2026-01-02T03:04:05Z',
    os: 'linux',
    architecture: 'amd64',
  },
  layers: [],
  identity: { passwd: '', group: '' },
  pinned: false,
  pulledAt: '2026-01-01T00:00:00.000Z',
  ...change,
});

const setUp = async (t: Test) => {
  const root = t.testdir();
  const runtime = await openImages({ ...defaultConfig(), root }, pino({ level: 'silent' }), ['/bin/false']);
  await runtime.images.put(recordOf());
  return runtime;
};

const spec = (image: string): ImageSpec__Output => ({
  image,
  annotations: {},
  imageRef: '',
  userSpecifiedImage: '',
  runtimeHandler: '',
});
const asked = (image: string | null, verbose = false) => ({ image: image === null ? null : spec(image), verbose });
const listed = (image: string | null) => ({ filter: image === null ? null : { image: spec(image) } });

const IMAGE = {
  id: ID,
  repoTags: [`${NAME}:2`, `${NAME}:1`],
  repoDigests: [DIGEST],
  size: '7',
  username: '',
  spec: { image: ID },
  pinned: false,
};

t.test('an image is the same message by whatever name it is asked for', async (t) => {
  const runtime = await setUp(t);
  for (const name of [ID, ID.slice(7), ID.slice(7, 25), `${NAME}:1`, `${NAME}:2`, DIGEST]) {
    t.strictSame(await imageStatus(runtime, asked(name)), { image: IMAGE }, name);
    t.strictSame(await listImages(runtime, listed(name)), { images: [IMAGE] }, name);
  }
  for (const everything of [null, '']) t.strictSame(await listImages(runtime, listed(everything)), { images: [IMAGE] });
});

t.test('uid and user name, without the group', async (t) => {
  const table = {
    '': { username: '' },
    '1002': { uid: { value: '1002' } },
    '1003:1004': { uid: { value: '1003' } },
    '0': { uid: { value: '0' } },
    '007': { username: '007' }, // refused by CreateContainer, as 00 is: never root
    'www-data': { username: 'www-data' },
    'www-data:1004': { username: 'www-data' },
    ':5': { username: '' },
    '4294967294': { uid: { value: '4294967294' } },
    // CVE-2026-46680, CVE-2024-40635: no uid that the kernel has, and never root.
    '4294967295': { username: '4294967295' },
    '4294967296': { username: '4294967296' },
    '99999999999999999999': { username: '99999999999999999999' },
    '-1': { username: '-1' },
    '1e3': { username: '1e3' },
    ' 1': { username: ' 1' },
  };
  for (const [user, expected] of Object.entries(table)) {
    const { uid, username } = toImage(recordOf({}, user));
    t.strictSame({ ...(uid && { uid }), ...(username !== undefined && { username }) }, expected, JSON.stringify(user));
  }
});

t.test('an image that is not here is an empty answer', async (t) => {
  const runtime = await setUp(t);
  for (const name of ['absent', `${NAME}:3`, `sha256:${'b'.repeat(64)}`, 'UPPER', '../x']) {
    t.strictSame(await imageStatus(runtime, asked(name, true)), {}, name);
    t.strictSame(await listImages(runtime, listed(name)), { images: [] }, name);
  }
});

t.test('verbose status has the configuration as the image specification spells it', async (t) => {
  const { info } = await imageStatus(await setUp(t), asked(ID, true));
  t.match(JSON.parse(info?.['info'] ?? ''), {
    imageSpec: {
      created: '2026-01-02T03:04:05Z',
      os: 'linux',
      architecture: 'amd64',
      config: {
        Env: ['A=1'],
        Entrypoint: ['/init'],
        Cmd: ['x'],
        WorkingDir: '/w',
        StopSignal: 'SIGINT',
        Volumes: { '/v': {} },
        Labels: { l: '1' },
      },
      rootfs: { type: 'layers', diff_ids: [] },
    },
  });
});

t.test('verbose status names a stack of layers by its chain ID', async (t) => {
  const runtime = await setUp(t);
  const layers = ['1', '2', '3'].map((digit) => ({ diffId: `sha256:${digit.repeat(64)}` }));
  await runtime.images.remove(ID);
  await runtime.images.put(recordOf({ layers }));
  const { info } = await imageStatus(runtime, asked(ID, true));
  const next = (chain: string, diffId: string) =>
    `sha256:${createHash('sha256').update(`${chain} ${diffId}`).digest('hex')}`;
  const [first = '', second = '', third = ''] = layers.map(({ diffId }) => diffId);
  t.match(JSON.parse(info?.['info'] ?? ''), { chainID: next(next(first, second), third) });
});

t.test('removal by any name takes the image with all its names, again and again and at the same time', async (t) => {
  for (const name of [ID, `${NAME}:1`, DIGEST]) {
    const runtime = await setUp(t);
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        t.strictSame(await removeImage(runtime, asked(name)), {});
        t.strictSame(await imageStatus(runtime, asked(ID)), {});
      }),
    );
    t.strictSame(await removeImage(runtime, asked(name)), {});
    t.strictSame(await listImages(runtime, listed(null)), { images: [] });
  }
});

const handlers = { require: (name: string) => name };

t.test('a request must name an image', async (t) => {
  const runtime = await setUp(t);
  const sandboxes = new ObjectStore<Sandbox>('sandbox', Journal.open(join(t.testdir(), 'journal')));
  const puller = { ...runtime, sandboxes, timelines: new Timelines(() => false) };
  const code = status.INVALID_ARGUMENT;
  for (const name of [null, '']) {
    await t.rejects(imageStatus(runtime, asked(name)), { code });
    await t.rejects(removeImage(runtime, asked(name)), { code });
    await t.rejects(pullImage(puller, { ...asked(name), auth: null, sandboxConfig: null }, handlers), { code });
  }
  await t.rejects(pullImage(puller, { ...asked('a b'), auth: null, sandboxConfig: null }, handlers), { code });
});

t.test('one filesystem holds images and containers, and its figures are those of the images', async (t) => {
  const before = BigInt(Date.now()) * 1_000_000n;
  const layers = { usage: () => ({ bytes: 2 ** 40, inodes: 7 }) };
  const { imageFilesystems, containerFilesystems } = await imageFsInfo({ config: { root: '/data' }, layers }, {});
  const [images, ...others] = imageFilesystems ?? [];
  t.strictSame(others, []);
  t.strictSame(containerFilesystems, imageFilesystems, 'the kubelet takes a difference for a split disk');
  t.ok(BigInt(String(images?.timestamp)) >= before);
  t.match(images, {
    fsId: { mountpoint: '/data' },
    usedBytes: { value: '1099511627776' },
    inodesUsed: { value: '7' },
  });
});
