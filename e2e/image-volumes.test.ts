import t from 'tap';
import { makeCanary } from './harness/canary.js';
import { buildImage } from './harness/image.js';
import { busyboxLayer } from './harness/images.js';
import { buildLayer, directory, type Entry, file, symlink } from './harness/layer.js';
import { type Node, startNode } from './harness/node.js';
import { type ContainerOptions, Pod } from './harness/pod.js';

// Images as volumes (api.proto, Mount.image).
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
let node: Node;
let pod: Pod;

const provide = async (name: string, ...layers: Entry[][]) =>
  node.provide(buildImage(await Promise.all(layers.map((entries) => buildLayer(entries))), { config: {} }), name);
const idOf = async (image: string) => (await node.daemon.cri.imageStatus({ image: { image } })).image?.id ?? '';
const volume = (image: string, containerPath = '/image', over = {}) => ({
  mounts: [{ image: { image }, containerPath, readonly: true, ...over }],
});
const shell = (script: string, options: ContainerOptions) =>
  pod
    .complete(node.busybox, { command: ['sh', '-c', `exec 2>&1; ${script}`], ...options })
    .then(({ output }) => output);

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
});

t.test('an image of several layers: its files, read-only, its programs run', async (t) => {
  const layers = [
    await busyboxLayer(),
    await buildLayer([file('etc/lower', 'lower'), file('etc/both', 'lower'), file('etc/gone', 'x')]),
    await buildLayer([file('etc/both', 'upper'), file('etc/.wh.gone', '')]),
  ];
  const image = await node.provide(buildImage(layers, { config: {} }), 'several');
  const output = await shell(
    'cat /image/etc/lower /image/etc/both; ls /image/etc/gone; touch /image/x; /image/bin/busybox echo runs; grep " /image " /proc/self/mountinfo',
    volume(await idOf(image)),
  );
  t.match(output, /^lowerupper/);
  t.match(output, /\/image\/etc\/gone: No such file/);
  t.match(output, /touch: \/image\/x: Read-only file system\nruns\n/);
  t.match(output, / \/image ro,nosuid,nodev/);
});

t.test('an image of one layer, of none, and the same one twice', async (t) => {
  const one = await provide('one', [file('file', 'text')]);
  t.match(await shell('cat /image/file', volume(one)), /^text/);
  const none = await provide('none');
  t.equal(await shell('ls -A /image', volume(none)), '');
  const twice = { mounts: [...volume(one, '/a').mounts, ...volume(one, '/a/../b'.replace('/a/..', '')).mounts] };
  t.match(await shell('cat /a/file /b/file', twice), /^texttext/);
});

t.test('the status tells which image it is', async (t) => {
  const image = await provide('status', [file('file', 'text')]);
  const id = await pod.create(node.busybox, {
    mounts: [{ hostPath: '/tmp', containerPath: '/tmp' }, ...volume(image).mounts],
  });
  const { mounts } = await pod.status(id);
  t.equal(mounts.length, 2);
  t.match(mounts[1], {
    containerPath: '/image',
    hostPath: '',
    readonly: true,
    image: { image, imageRef: await idOf(image) },
  });
  await node.daemon.restart();
  t.equal((await pod.status(id)).mounts[1]?.image?.imageRef, await idOf(image), 'after a restart, too');
});

t.test('a sub path: a directory or a file of the image, never of anything else', async (t) => {
  const canary = await makeCanary(t);
  const image = await provide('parts', [
    directory('etc'),
    file('etc/conf', 'of the image'),
    symlink('absolute', '/etc'),
    symlink('up', '../../../../../etc'),
    symlink('host', canary.path),
    symlink('self', '/proc/self/root'),
  ]);
  for (const imageSubPath of ['etc', 'absolute', 'up', './etc/'])
    t.match(
      await shell('ls /image; cat /image/conf', volume(image, '/image', { imageSubPath })),
      /^conf\nof the image/,
      imageSubPath,
    );
  t.match(await shell('cat /image', volume(image, '/image', { imageSubPath: 'etc/conf' })), /^of the image/);
  for (const imageSubPath of ['not-existing', 'etc/not-existing', 'host', 'self', 'etc/conf/below'])
    await t.rejects(
      pod.create(node.busybox, volume(image, '/image', { imageSubPath })),
      { code: INVALID_ARGUMENT, details: new RegExp(`^ImageVolumeMountFailed: .*${imageSubPath}`) },
      `${imageSubPath} is not in the image`,
    );
  for (const imageSubPath of ['..', 'etc/../..', '/etc', 'a\0b'])
    await t.rejects(
      pod.create(node.busybox, volume(image, '/image', { imageSubPath })),
      { code: INVALID_ARGUMENT, details: /^ImageVolumeMountFailed: .*image_sub_path/s },
      `CVE-2017-1002101, CVE-2021-25741: ${JSON.stringify(imageSubPath)}`,
    );
  await canary.assertIntact(t);
});

t.test('the sub path of a volume that is no image means nothing: the kubelet repeats it there', async (t) => {
  const image = await provide('beside', [file('file', 'of the image')]);
  const [mount] = volume(image).mounts;
  const host = { hostPath: '/etc', containerPath: '/host', imageSubPath: 'not/there', readonly: true };
  t.match(
    await shell('cat /image/file; ls /host/hostname', { mounts: [...(mount ? [mount] : []), host] }),
    /^of the image\/host\/hostname/,
  );
});

t.test('an image in use stays, whatever is removed', async (t) => {
  const image = await provide('kept', [file('file', 'still here')]);
  const id = await pod.start(node.busybox, { ...volume(image), command: ['sleep', '1000'] });
  await node.daemon.cri.removeImage({ image: { image } });
  t.equal((await node.daemon.cri.imageStatus({ image: { image } })).image, null);
  t.equal((await pod.exec(id, 'cat', '/image/file')).stdout, 'still here');
  await node.daemon.kill();
  await node.daemon.up();
  t.equal((await pod.exec(id, 'cat', '/image/file')).stdout, 'still here', 'after a crash of the daemon');
  await t.rejects(
    pod.create(node.busybox, volume(image)),
    { code: NOT_FOUND, details: /^ImageVolumeMountFailed: .*kept/ },
    'a new container finds none',
  );
  await node.daemon.cri.removeContainer({ containerId: id });
});

t.test('what cannot be is refused with the name of the field', async (t) => {
  const image = await provide('refused', [file('file', 'text')]);
  for (const [over, details] of [
    [{ readonly: false }, /readonly is not set/],
    [{ hostPath: '/tmp' }, /host_path and image/],
    [{ propagation: 'PROPAGATION_BIDIRECTIONAL' }, /propagation BIDIRECTIONAL/],
    [{ containerPath: '/proc/self' }, /container_path/],
    [{ image: { image, runtimeHandler: 'gvisor' } }, /unknown runtime handler/],
    [{ mountOptions: ['suid'] }, /mount option/],
  ] as const)
    await t.rejects(
      pod.create(node.busybox, volume(image, '/image', over)),
      { code: INVALID_ARGUMENT, details },
      String(details),
    );
  await t.rejects(pod.create(node.busybox, volume('127.0.0.1:1/not/here:1')), {
    code: NOT_FOUND,
    details: /not\/here/,
  });
});

t.test('more restrictions by mount options', async (t) => {
  const image = await provide('noexec', [file('run', '#!/bin/sh\necho ran\n', { mode: 0o755 })]);
  t.match(await shell('/image/run', volume(image)), /^ran/);
  t.match(await shell('/image/run', volume(image, '/image', { mountOptions: ['noexec'] })), /Permission denied/);
});

t.test('in a pod with a user namespace it shows the owners of the image', async (t) => {
  const mapping = [{ containerId: 0, hostId: 231_072, length: 65_536 }];
  const usernsOptions = { mode: 'POD', uids: mapping, gids: mapping } as const;
  const namespaceOptions = { network: 'NODE', pid: 'CONTAINER', ipc: 'POD', usernsOptions } as const;
  const image = await provide('owners', [file('root', 'x', { mode: 0o600 }), file('user', 'y', { uid: 1000 })]);
  const other = await Pod.run(node.daemon, { linux: { securityContext: { namespaceOptions } } });
  const { output } = await other.complete(node.busybox, {
    ...volume(image, '/image', { uidMappings: mapping, gidMappings: mapping }),
    command: ['sh', '-c', 'stat -c %u /image/root /image/user; cat /image/root'],
  });
  t.match(output, /^0\n1000\nx/);
  await other.remove();
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
