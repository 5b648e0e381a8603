import t from 'tap';
import { type Canary, makeCanary } from './harness/canary.js';
import { buildImage } from './harness/image.js';
import { busyboxLayer } from './harness/images.js';
import { buildLayer, directory, type Entry, file, hardlink, symlink } from './harness/layer.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';

// Layers that ordinary build tools would refuse to make. Each is refused by PullImage, or what it brings lies inside the container's
// root; in both cases the canary on the host is intact and none of its content shows inside.
let node: Node;
let pod: Pod;
let canary: Canary;

t.before(async () => {
  canary = await makeCanary(t);
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
});

const UP = '../'.repeat(12);

const hostileLayers = (): Array<[string, Entry[]]> => {
  const outside = canary.path.slice(1);
  return [
    ['a name with ..', [file(`${UP}${outside}/dotdot`, 'x')]],
    ['a name with .. in the middle', [directory('a'), file(`a/${UP}${outside}/middle`, 'x')]],
    ['an absolute name', [file(`/${outside}/absolute`, 'x')]],
    ['many slashes', [file(`////${outside}/slashes`, 'x')]],
    ['CVE-2018-20834: a link, then a file through it', [symlink('out', canary.path), file('out/through', 'x')]],
    ['a relative link, then a file through it', [symlink('out', `${UP}${outside}`), file('out/through', 'x')]],
    [
      'CVE-2021-32803: a directory that becomes a link',
      [directory('d'), symlink('d', canary.path), file('d/through', 'x')],
    ],
    [
      'CVE-2026-24842: a chain of links',
      [symlink('one', 'two/..'), symlink('two', canary.path), file('one/through', 'x'), file('two/through', 'x')],
    ],
    ['a hard link to an absolute name', [hardlink('stolen', `/${outside}/secret`)]],
    ['CVE-2026-23745: a hard link with ..', [hardlink('stolen', `${UP}${outside}/secret`)]],
    ['a hard link through a link', [symlink('out', canary.path), hardlink('stolen', 'out/secret')]],
    [
      'a hard link that is then written',
      [symlink('out', canary.path), hardlink('stolen', 'out/secret'), file('stolen', 'overwritten')],
    ],
    ['a file over a link', [symlink('target', `${canary.path}/secret`), file('target', 'overwritten')]],
    ['a whiteout through a link', [symlink('out', canary.path), file('out/.wh.secret', '')]],
    ['a whiteout with ..', [file(`${UP}${outside}/.wh.secret`, '')]],
    ['an opaque mark through a link', [symlink('out', canary.path), file('out/.wh..wh..opq', '')]],
    ['a whiteout of ..', [directory('a'), file('a/.wh...', '')]],
    ['a whiteout of .', [directory('a'), file('a/.wh..', '')]],
    [
      'a device through a link',
      [symlink('out', canary.path), { path: 'out/device', type: 'character-device', device: [1, 5] }],
    ],
    ['modes and owners through a link', [symlink('out', canary.path), directory('out', { mode: 0o777, uid: 1000 })]],
    ['an owner past 32 bits', [file('owned', 'x', { pax: { uid: '4294967296', gid: '4294967296' } })]],
    ['a PAX path with ..', [file('innocent', 'x', { pax: { path: `${UP}${outside}/pax` } })]],
    [
      'a PAX link path',
      [{ path: 'innocent', type: 'link', link: 'harmless', pax: { linkpath: `/${outside}/secret` } }],
    ],
    ['a name with a NUL', [file('innocent', 'x', { pax: { path: 'a\0b' } })]],
    ['a very deep tree', [directory('d/'.repeat(1500))]],
    [
      'an xattr of overlayfs',
      [directory('d', { xattrs: { 'trusted.overlay.redirect': canary.path, 'trusted.overlay.opaque': 'y' } })],
    ],
  ];
};

t.test('hostile layers, one by one', async (t) => {
  let refused = 0;
  for (const [index, [name, entries]] of hostileLayers().entries()) {
    const image = buildImage([await busyboxLayer(), await buildLayer(entries)], { config: { Env: ['PATH=/bin'] } });
    const pulled = await node.provide(image, `hostile-${index}`).catch((error: Error) => error);
    await canary.assertIntact(t);
    if (pulled instanceof Error) {
      refused++;
      continue;
    }
    const { output } = await pod.complete(pulled, {
      command: ['sh', '-c', 'cat /stolen /target /out/secret /d/secret 2>/dev/null; true'],
    });
    t.notMatch(output, canary.secret, `${name}: no content of the host`);
    t.ok(
      (await pod.complete(pulled, { command: ['id', '-u', 'root'] })).status.exitCode === 0,
      `${name}: the image works`,
    );
    await canary.assertIntact(t);
  }
  t.comment(`${refused} of ${hostileLayers().length} layers were refused`);
});

t.test(
  'what good archives have is kept: hard links, modes, owners, times, devices, xattrs, whiteouts, opaque directories',
  async (t) => {
    const lower = await buildLayer([
      directory('tree'),
      file('tree/gone', 'x'),
      file('tree/kept', 'kept', { mode: 0o640, uid: 12, gid: 34 }),
      hardlink('tree/same', 'tree/kept'),
      hardlink('absolute', '/tree/kept'),
      directory('opaque'),
      file('opaque/hidden', 'x'),
      { path: 'zero', type: 'character-device', device: [1, 5], mode: 0o666 },
      { path: 'queue', type: 'fifo' },
    ]);
    const upper = await buildLayer(
      [file('tree/.wh.gone', ''), directory('opaque'), file('opaque/.wh..wh..opq', ''), file('opaque/new', 'new')],
      'zstd',
    );
    const image = await node.provide(
      buildImage([await busyboxLayer(), lower, upper], { config: { Env: ['PATH=/bin'] } }),
      'faithful',
    );
    const look =
      'ls /tree /opaque; stat -c "%n %a %u %g %h" /tree/kept; stat -c "%n %t:%T" /zero; stat -c "%n %F" /queue; cat /absolute';
    const { output } = await pod.complete(image, { command: ['sh', '-c', look] });
    t.equal(output, '/opaque:\nnew\n\n/tree:\nkept\nsame\n/tree/kept 640 12 34 3\n/zero 1:5\n/queue fifo\nkept');
  },
);

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
