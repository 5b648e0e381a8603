import { lstat, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Canary, makeCanary } from '../harness/canary.js';
import { buildLayer, directory, type Entry, file, hardlink, symlink } from '../harness/layer.js';
import { archiveOf, BAD_INPUT, type Unpacked, unpack } from './unpacker.js';

// What published extractors got wrong, each archive given to the real program. It works in the canary's directory, so that a name that
// were looked up anywhere but in the layer would find it.
let canary: Canary;
t.before(async () => {
  canary = await makeCanary(t);
});

type Outcome = 'refused' | ((t: Test, unpacked: Unpacked) => Promise<unknown>);
const UP = '../'.repeat(12);

const attempt = (name: string, archive: () => Entry[] | Promise<Buffer>, outcome: Outcome) =>
  t.test(name, async (t) => {
    const unpacked = await unpack(t, await archive(), { cwd: canary.path });
    await canary.assertIntact(t);
    if (outcome === 'refused') {
      t.equal(unpacked.code, BAD_INPUT, unpacked.stderr);
      t.match(unpacked.stderr, /^\S.*\n$/, 'one line says why');
    } else {
      t.equal(unpacked.code, 0, unpacked.stderr);
      await outcome(t, unpacked);
    }
  });

const inside =
  (path: string, content: string) =>
  async (t: Test, { root }: Unpacked) =>
    t.equal(await readFile(join(root, path), 'utf8'), content, path);
const missing =
  (path: string) =>
  async (t: Test, { root }: Unpacked) =>
    t.rejects(lstat(join(root, path)), path);

/** Other bytes in the first header, and the checksum that belongs to them. */
const forge = (tar: Buffer, at: number, bytes: Buffer): Buffer => {
  bytes.copy(tar, at);
  tar.fill(' ', 148, 156);
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return tar;
};

const outside = () => canary.path.slice(1);

attempt(
  'CVE-2018-20834: a hard link to a file of the host, then content for it',
  () => [hardlink('stolen', `${canary.path}/secret`), file('stolen', 'overwritten')],
  'refused',
);
attempt(
  'CVE-2018-20834: a hard link that is then a file gets an inode of its own',
  () => [file('one', 'one'), hardlink('two', 'one'), file('two', 'two')],
  async (t, unpacked) => {
    await inside('one', 'one')(t, unpacked);
    await inside('two', 'two')(t, unpacked);
  },
);
attempt(
  'CVE-2021-32803: a directory becomes a link after files were written into it',
  () => [directory('d'), file('d/first', '1'), symlink('d', canary.path), file('d/second', '2')],
  // As with containerd: the directory that the link names is one of the layer's own.
  async (t, unpacked) => inside(`${outside()}/second`, '2')(t, unpacked),
);
attempt(
  'CVE-2021-32803: a directory becomes a link to another one of the layer',
  () => [directory('e'), directory('d'), file('d/first', '1'), symlink('d', 'e'), file('d/second', '2')],
  async (t, unpacked) => {
    await inside('e/second', '2')(t, unpacked);
    await missing('e/first')(t, unpacked);
  },
);
attempt(
  'CVE-2021-32803: a parent of the parent becomes a link',
  () => [file('a/b/first', '1'), file('x/b/mark', ''), symlink('a', 'x'), file('a/b/second', '2')],
  async (t, unpacked) => {
    await inside('x/b/second', '2')(t, unpacked);
    t.equal(await readlink(join(unpacked.root, 'a')), 'x');
  },
);
attempt(
  'CVE-2021-32803: a directory is removed through another of its names, and made again as a link',
  () => [
    file('real/d/first', '1'),
    file('other/mark', ''),
    symlink('alias', 'real'),
    file('real/d/again', '1'),
    symlink('alias/d', '/other'),
    file('real/d/second', '2'),
  ],
  async (t, unpacked) => inside('other/second', '2')(t, unpacked),
);
attempt(
  'CVE-2021-32803: a hard link to a link takes a directory’s place',
  () => [file('d/first', '1'), symlink('l', canary.path), hardlink('d', 'l'), file('d/second', '2')],
  async (t, unpacked) => inside(`${outside()}/second`, '2')(t, unpacked),
);
attempt(
  'CVE-2021-32804: absolute names with many slashes stay inside',
  () => [file(`////${outside()}/absolute`, 'x'), file('/././/dots', 'y')],
  async (t, unpacked) => {
    await inside(`${outside()}/absolute`, 'x')(t, unpacked);
    await inside('dots', 'y')(t, unpacked);
  },
);
attempt(
  'CVE-2021-37701: names that differ in case or by a backslash are different files',
  () => [symlink('LINK', canary.path), file('link/a', '1'), symlink('b\\c', canary.path), file('b/c/d', '2')],
  async (t, unpacked) => {
    await inside('link/a', '1')(t, unpacked);
    await inside('b/c/d', '2')(t, unpacked);
  },
);
attempt(
  'CVE-2021-37712, CVE-2026-23950: names that Unicode normalises to the same are different files',
  () => [
    symlink('caf\u00e9', canary.path),
    file('cafe\u0301/a', '1'),
    symlink('stra\u00dfe', canary.path),
    file('strasse/b', '2'),
    symlink('\ufb01le', canary.path),
    file('file/c', '3'),
  ],
  async (t, unpacked) => {
    for (const path of ['cafe\u0301/a', 'strasse/b', 'file/c'])
      t.ok((await lstat(join(unpacked.root, path))).isFile(), path);
  },
);
attempt(
  'CVE-2026-23745: a symlink with an absolute target is kept as it is and not followed',
  () => [symlink('link', `${canary.path}/secret`), file('link', 'replaced')],
  inside('link', 'replaced'),
);
attempt(
  'CVE-2026-24842: a hard link with ..',
  () => [directory('d'), hardlink('d/stolen', `d/${UP}${outside()}/secret`)],
  'refused',
);
attempt(
  'CVE-2026-26960: a hard link through a chain of links',
  () => [directory('a'), symlink('a/one', 'two/..'), symlink('a/two', canary.path), hardlink('stolen', 'a/one/secret')],
  'refused',
);
attempt('CVE-2026-29786: .. behind a root that is stripped', () => [file('/../x', 'x')], 'refused');
attempt(
  'CVE-2026-31802: drive-relative names are plain names',
  () => [file('C:../x', '1'), file('C:\\..\\y', '2')],
  inside('C:../x', '1'),
);
attempt('CVE-2025-48387: links in a loop', () => [symlink('a', 'b'), symlink('b', 'a'), file('a/x', 'x')], 'refused');
attempt(
  'CVE-2026-17106: a name below an absolute link stays inside',
  () => [directory('target'), symlink('d', '/target'), file('d/f', 'x'), file('d/.wh.gone', '')],
  async (t, unpacked) => {
    await inside('target/f', 'x')(t, unpacked);
    t.equal((await lstat(join(unpacked.root, 'target/gone'))).rdev, 0);
  },
);
attempt('CVE-2026-17106: what is below a whiteout', () => [file('.wh.d/f', 'x')], 'refused');
attempt(
  'CVE-2026-17106, follow-up: a hard link with an absolute name is the layer’s own',
  () => [file('usr/bin/one', 'one'), hardlink('usr/bin/two', '/usr/bin/one'), hardlink('/three', '//usr/./bin/one')],
  async (t, { root }) => {
    const [one, two, three] = await Promise.all(
      ['usr/bin/one', 'usr/bin/two', 'three'].map((path) => stat(join(root, path))),
    );
    t.equal(two?.ino, one?.ino);
    t.equal(three?.ino, one?.ino);
  },
);
attempt(
  'CVE-2026-50163: a hard link is not looked up in the working directory',
  () => [hardlink('stolen', 'secret')],
  'refused',
);
attempt(
  'CVE-2026-50163: nor beside the link',
  () => [file('d/secret', 'x'), hardlink('d/stolen', 'secret')],
  'refused',
);
attempt(
  'CVE-2021-32760: the mode of a link changes nothing',
  () => [
    { ...symlink('link', `${canary.path}/secret`), mode: 0o777 },
    { ...symlink('up', `${UP}${outside()}`), mode: 0o777 },
    file('own', 'x', { mode: 0o600 }),
    { ...hardlink('same', 'own'), mode: 0o777 },
  ],
  async (t, { root }) => t.equal((await stat(join(root, 'own'))).mode & 0o7777, 0o600, 'nor that of a hard link'),
);
attempt(
  'CVE-2021-41089: the mode of the root is the layer’s and nobody else’s',
  () => [directory('./', { mode: 0o777, uid: 7 }), directory('/', { mode: 0o775 })],
  async (t, { root }) => {
    t.equal((await stat(root)).mode & 0o7777, 0o775);
    t.equal((await stat(join(root, '..'))).mode & 0o7777, 0o700);
  },
);
attempt('the root as a file', () => [file('./', 'x'), symlink('.', '/')], 'refused');
attempt(
  'CVE-2025-62518: the sizes of header and extended header differ',
  async () => {
    const hidden = await buildLayer([file('hidden', 'x')], 'none');
    const { data } = await buildLayer([file('outer', hidden.data, { pax: { size: '0' } })], 'none');
    return data;
  },
  'refused',
);
attempt('CVE-2026-59873: a NUL in a name', () => [file('x', '', { pax: { path: 'a\0b' } })], 'refused');
attempt(
  'CVE-2026-59874: a negative size',
  async () => forge((await buildLayer([file('x', '')], 'none')).data, 124, Buffer.alloc(12, 0xff)),
  'refused',
);
attempt(
  'CVE-2026-59875: an empty name does not stand for another',
  () => [file('x', '', { pax: { path: '' } })],
  async (t, unpacked) => inside('x', '')(t, unpacked),
);
attempt(
  'CVE-2024-28863: a hundred thousand levels',
  () => [file('x', '', { pax: { path: `${'d/'.repeat(100_000)}f` } })],
  'refused',
);
attempt(
  'a device that is overlay’s whiteout',
  () => [{ path: 'd', type: 'character-device', device: [0, 0] }],
  'refused',
);
attempt('a hard link to a whiteout', () => [file('.wh.gone', ''), hardlink('other', 'gone')], 'refused');
attempt('a hard link to a directory', () => [directory('d'), hardlink('e', 'd')], 'refused');
attempt(
  'attributes of overlay and of the node’s policy are not taken over',
  () => [
    directory('d', {
      xattrs: { 'trusted.overlay.opaque': 'y', 'user.overlay.opaque': 'y', 'security.selinux': 'x', 'user.kept': 'k' },
    }),
  ],
  async (t, { root }) => {
    const archive = await archiveOf(root);
    for (const name of ['trusted.overlay', 'user.overlay', 'security.selinux']) t.notOk(archive.includes(name), name);
    t.ok(archive.includes('user.kept=k'), 'others are');
  },
);
