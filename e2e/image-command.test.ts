import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ociLayout } from './harness/archive.js';
import { Daemon, MAIN } from './harness/daemon.js';
import { buildImage, buildIndex, hostArchitecture, type Image } from './harness/image.js';
import { tinyImage } from './harness/images.js';
import { buildLayer, file } from './harness/layer.js';
import { Pod } from './harness/pod.js';
import { until } from './harness/wait.js';

const compat = (name: string) => fileURLToPath(new URL(`../../deploy/compat/${name}`, import.meta.url));

let daemon: Daemon;
t.before(async () => {
  daemon = await Daemon.start(t);
});

interface Result {
  code: number | null;
  out: string;
  err: string;
}

const run = async (command: string[], input?: Buffer, env = {}): Promise<Result> => {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: 'pipe', env: { PATH: process.env['PATH'], ...env } });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdin.on('error', () => undefined).end(input);
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, out, err };
};

const config = () => join(daemon.home, 'config.toml');

/** `jangada image VERB …` against the daemon. */
const image = (verb: string, args: string[] = [], input?: Buffer) =>
  run([process.execPath, MAIN, 'image', verb, '--config', config(), ...args], input);

const imageOf = async (content: string): Promise<Image> => buildImage([await buildLayer([file('f', content)])]);

const names = async () =>
  (await daemon.cri.listImages({})).images.flatMap(({ repoTags }) => repoTags).sort((a, b) => (a < b ? -1 : 1));

t.test('the control socket is root’s alone, and answers in JSON what it does not know', async (t) => {
  const { mode } = await stat(daemon.control);
  t.equal(mode & 0o777, 0o600);
  const ask = (path: string, body: string) =>
    new Promise<{ code: number | undefined; body: unknown }>((resolve, reject) => {
      const call = request({ socketPath: daemon.control, path, method: 'POST' }, (response) => {
        text(response).then((body) => resolve({ code: response.statusCode, body: JSON.parse(body) }), reject);
      });
      call.once('error', reject).end(body);
    });
  t.match(await ask('/v1/nothing', ''), {
    code: 404,
    body: { code: 'NOT_FOUND', message: /^no such call: POST \/v1\/nothing/ },
  });
  t.match(await ask('/v1/images/tag', '{'), { code: 400, body: { message: /^not JSON/ } });
  t.match(await ask('/v1/images/tag', '[]'), { code: 400, body: { message: /^not a JSON object/ } });
  t.match(await ask('/v1/images/tag', '{"image":5}'), { code: 400, body: { message: /^missing image/ } });
  t.match(await ask('/v1/images/tag', ' '.repeat(70_000)), { code: 429, body: { code: 'RESOURCE_EXHAUSTED' } });
});

t.test(
  'an archive is imported from a file and from standard input; its images are listed, inspected, run',
  async (t) => {
    const tiny = await tinyImage();
    const archive = await ociLayout([{ image: tiny, name: 'site.test/tiny:1' }]);
    const path = join(daemon.home, 'tiny.tar');
    await writeFile(path, archive);
    t.match(await image('import', [path]), {
      code: 0,
      out: /^NAME .*\nsite.test\/tiny:1 +[0-9a-f]{12} .*\n$/,
      err: '',
    });
    const { out } = await image('import', ['--pin', '-o', 'json', '-'], archive);
    t.match(JSON.parse(out), { images: [{ id: tiny.id, pinned: true }], failures: [] }, 'again, and now it is pinned');
    t.match(await image('list'), { code: 0, out: /^NAME +ID +SIZE +PINNED\nsite.test\/tiny:1 .* yes\n$/ });
    t.match(JSON.parse((await image('list', ['-o', 'json'])).out), [{ id: tiny.id, repoTags: ['site.test/tiny:1'] }]);
    t.match(JSON.parse((await image('inspect', ['site.test/tiny:1'])).out), {
      id: tiny.id,
      imageSpec: { config: { Entrypoint: ['/pause'] } },
    });
    const pod = await Pod.run(daemon);
    await pod.start('site.test/tiny:1');
    t.match(await image('prune', ['--all']), { code: 0, out: /^NAME .*\n$/ }, 'what is used or pinned stays');
    await pod.remove();
  },
);

t.test('names come and go; an image without any is pruned', async (t) => {
  t.match(await image('tag', ['site.test/tiny:1', 'other:2']), { code: 0 });
  t.same(await names(), ['docker.io/library/other:2', 'site.test/tiny:1']);
  t.match(await image('tag', ['nothing:1', 'x:1']), { code: 1, err: /^jangada: no such image: "nothing:1"/ });
  t.match(await image('tag', ['other:2', 'X/Y']), { code: 1, err: /repository not in lower case/ });
  t.match(await image('untag', ['other:2']), { code: 0 });
  t.match(await image('untag', ['other:2']), { code: 1, err: /^jangada: no such tag: docker.io\/library\/other:2/ });
  t.same(await names(), ['site.test/tiny:1']);
  await image('import', ['-'], await ociLayout([{ image: await imageOf('loose'), name: 'site.test/loose:1' }]));
  await daemon.restart();
  await image('untag', ['site.test/loose:1']);
  t.match(await image('prune'), { code: 0, out: /<none>/ });
  t.match(await image('remove', ['site.test/tiny:1', 'nothing:1']), { code: 1, err: /no such image: nothing:1/ });
  t.same((await daemon.cri.listImages({})).images, []);
});

t.test('what cannot be had is said, and leaves nothing', async (t) => {
  const [good, bad] = [await imageOf('good'), await imageOf('bad')];
  const both = [
    { image: good, name: 'site.test/good:1' },
    { image: bad, name: 'site.test/bad:1' },
  ];
  const layer = bad.blobs[1]?.digest ?? '';
  const [partly, cut, noise, absent] = await Promise.all([
    image('import', ['-'], await ociLayout(both, [layer])),
    image('import', ['-'], (await ociLayout(both)).subarray(0, 5000)),
    image('import', ['-'], randomBytes(4 << 20)),
    image('import', ['/nonexistent']),
  ]);
  const missing = new RegExp(`not in the archive: layer ${layer} of image site.test/bad:1`);
  t.match(partly, { code: 1, out: /site.test\/good:1/, err: missing });
  t.match(cut, { code: 1, err: /^jangada: cut off at byte/ });
  t.match(noise, { code: 1, err: /^jangada: no tar archive/ });
  t.match(absent, { code: 1, err: /ENOENT/ });
  await image('remove', ['site.test/good:1']);
  t.same(await readdir(join(daemon.root, 'import')), []);
});

t.test('a client that leaves, a daemon that is killed: the next import is whole', async (t) => {
  const big = buildImage([
    await buildLayer([file('noise', randomBytes(24 << 20))]),
    await buildLayer([file('g', 'top')]),
  ]);
  const archive = await ociLayout([{ image: big, name: 'site.test/big:1' }]);
  const spool = () => readdir(join(daemon.root, 'import'));
  const left = request({ socketPath: daemon.control, path: '/v1/images/import', method: 'POST' });
  left.once('error', () => undefined).write(archive.subarray(0, 8 << 20));
  await until('the archive on its way', async () => (await spool()).length === 1);
  left.destroy();
  await until('what it has sent to be gone', async () => (await spool()).length === 0);
  for (const step of ['spool', 'layers'] as const) {
    const importing = image('import', ['-'], archive);
    await until(step, async () =>
      step === 'spool'
        ? (await spool()).length > 0
        : (await readdir(join(daemon.root, 'layers'))).some((name) => name !== 'empty'),
    );
    await daemon.kill();
    t.match(await importing, { code: 1 });
    await daemon.up();
    t.same(await spool(), []);
  }
  t.match(await image('import', ['-'], archive), { code: 0 });
  t.match((await daemon.cri.imageStatus({ image: { image: 'site.test/big:1' } })).image, { id: big.id });
  await image('remove', ['site.test/big:1']);
});

t.test('what kind asks ctr', async (t) => {
  const program = join(daemon.home, 'jangada');
  await writeFile(program, `#!/bin/sh\nexec ${process.execPath} ${MAIN} "$@"\n`, { mode: 0o755 });
  const ctr = (args: string[], input?: Buffer) =>
    run([compat('ctr'), '--namespace=k8s.io', ...args], input, { JANGADA: program, JANGADA_CONFIG: config() });
  const [here, elsewhere] = [await imageOf('here'), await imageOf('elsewhere')];
  const index = buildIndex([
    { image: here, platform: { architecture: hostArchitecture() } },
    { image: elsewhere, platform: { architecture: 's390x' } },
  ]);
  const lacking = [elsewhere.digest, ...elsewhere.blobs.map(({ digest }) => digest)];
  const archive = await ociLayout([{ image: index, name: 'docker.io/library/app:1' }], lacking);
  t.match(
    await ctr(['images', 'import', '--all-platforms', '--digests', '--snapshotter=overlayfs', '-'], archive),
    { code: 0, err: '' },
    'another machine’s part may be missing',
  );
  t.same((await ctr(['images', 'ls', '-q'])).out, 'docker.io/library/app:1\n');
  t.match(await ctr(['images', 'tag', '--force', 'docker.io/library/app:1', 'docker.io/library/app:2']), { code: 0 });
  t.same(await names(), ['docker.io/library/app:1', 'docker.io/library/app:2']);
  t.match(await ctr(['images', 'import', '--label=io.cri-containerd.pinned=pinned', '--no-unpack', '-'], archive), {
    code: 0,
  });
  t.match((await daemon.cri.listImages({})).images, [{ pinned: true }]);
  t.match(await ctr(['content', 'fetch', 'x']), { code: 1, err: /^ctr: not one of the calls/ });
  t.match(await ctr(['images', 'rm', 'docker.io/library/app:1']), { code: 0 });
});

t.test('what kind and minikube ask the program containerd', async (t) => {
  const program = join(daemon.home, 'jangada');
  const containerd = (...args: string[]) => run([compat('containerd'), ...args], undefined, { JANGADA: program });
  t.match(await containerd('--version'), { code: 0, out: /^containerd \S+ v\d+\.\d+\.\d+ \S+\n$/, err: '' });
  t.match(await containerd('config', 'dump'), {
    code: 0,
    out: /^version = 3\n\n\[plugins\."io\.containerd\.cri\.v1\.images"\]\n {2}snapshotter = "overlayfs"\n$/,
  });
  t.match(await containerd(), { code: 1, err: /^containerd: not one of the calls/ });
});

t.test('nothing is left', (t) => daemon.assertNothingLeft(t));
