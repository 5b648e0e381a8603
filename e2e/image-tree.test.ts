import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { buildImage, type RunConfig } from './harness/image.js';
import { busyboxLayer } from './harness/images.js';
import { buildLayer, directory, type Entry, file, symlink } from './harness/layer.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';

// The tree that a container sees of its image's layers (docs/decisions/0001, 0003, 0018).
let node: Node;
let pod: Pod;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
});

const image = async (name: string, config: RunConfig, ...layers: Entry[][]) =>
  node.provide(
    buildImage([await busyboxLayer(), ...(await Promise.all(layers.map((entries) => buildLayer(entries))))], {
      config,
    }),
    name,
  );
const shell = async (reference: string, script: string): Promise<string> =>
  (await pod.complete(reference, { command: ['/bin/sh', '-c', `exec 2>&1; ${script}`] })).output;

t.test("VOLUME: a directory that no layer has is there, root's; one that a layer has is its owner's", async (t) => {
  const volumes = { Volumes: { '/data': {}, '/var/lib/registry': {}, '/run/link/x': {}, '/mine': {}, '/a-file': {} } };
  const layer = [
    directory('target'),
    directory('run'),
    symlink('run/link', '/target'),
    directory('mine', { mode: 0o700, uid: 1000 }),
    file('a-file', 'of the image'),
  ];
  const script = 'stat -c "%a %u %n" /data /var/lib/registry /target/x /mine; cat /a-file; echo; touch';
  const places = '755 0 /data\n755 0 /var/lib/registry\n755 0 /target/x\n700 1000 /mine\nof the image\n';
  const root = await shell(
    await image('volumes', volumes, layer),
    `${script} /data/x /var/lib/registry/x && echo fine`,
  );
  t.equal(root, `${places}fine\n`);
  const user = await shell(
    await image('volumes-user', { ...volumes, User: '1000' }, layer),
    `${script} /mine/x /data/x`,
  );
  t.equal(user, `${places}touch: /data/x: Permission denied\n`, 'as Docker lets write');
});

t.test('directories that an archive leaves out are those of the layers below', async (t) => {
  const base = [directory('tmp', { mode: 0o1777 }), directory('home'), directory('home/user', { uid: 1000 })];
  const reference = await image('implied', { User: '1000' }, base, [file('tmp/x', 'x'), file('home/user/y', 'y')]);
  t.equal(
    await shell(reference, 'stat -c "%a %u %n" /tmp /home/user; touch /tmp/mine /home/user/mine; cat /tmp/x'),
    '1777 0 /tmp\n755 1000 /home/user\nx',
  );
});

t.test('a file below a link whose directory is in a lower layer, or later in the same', async (t) => {
  const base = [directory('run', { mode: 0o711 }), directory('var')];
  const top = [directory('var'), symlink('var/run', '/run'), file('var/run/x', 'x')];
  const later = [symlink('l', 'd'), file('l/x', 'y'), directory('d', { mode: 0o750 })];
  const reference = await image('links', {}, base, top, later);
  t.equal(await shell(reference, 'cat /run/x /d/x; stat -c " %a" /run /d'), 'xy 711\n 750\n');
});

t.test('a whiteout that hides nothing is not seen, and its directory can be removed', async (t) => {
  const reference = await image('whiteout', {}, [directory('alone'), file('alone/.wh.gone', ''), file('alone/x', 'x')]);
  t.equal(
    await shell(reference, 'ls -A /alone; rm -r /alone && ls -d /alone'),
    'x\nls: /alone: No such file or directory\n',
  );
});

t.test('all of it survives a restart, and goes with its images', async (t) => {
  await node.daemon.restart();
  const reference = await image('again', { Volumes: { '/data': {} } }, [file('tmp/x', 'x')]);
  t.equal(await shell(reference, 'stat -c "%a %n" /data'), '755 /data\n');
  await pod.remove();
  const { images } = await node.daemon.cri.listImages({});
  for (const { id } of images) await node.daemon.cri.removeImage({ image: { image: id } });
  t.strictSame(await readdir(join(node.daemon.root, 'layers')), ['empty']);
});
