import { execFile } from 'node:child_process';
import { chmod, lstat, mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import {
  buildLayer,
  type Compression,
  directory,
  type Entry,
  file,
  hardlink,
  sha256,
  symlink,
} from '../harness/layer.js';
import { archiveOf, temporary, unpack } from './unpacker.js';

const CAPABILITY = Buffer.from('0100000200040000000000000000000000000000', 'hex').toString('latin1'); // cap_net_bind_service=ep
const at = (time: string) => ({ pax: { mtime: time } });

const good = (): Entry[] => [
  directory('./', { mode: 0o755, ...at('1600000000.5') }),
  directory('usr', { mode: 0o711, uid: 3, gid: 4, ...at('1500000000.123456789') }),
  file('usr/later', 'x', at('1')),
  file('usr/program', '#!/bin/sh\n', { mode: 0o4755, uid: 0, gid: 12, ...at('1700000000.987654321') }),
  file('usr/set-group', 'x', { mode: 0o2711, gid: 2_000_000_000, uid: 3_000_000_000 }),
  file('usr/capable', 'x', { mode: 0o755, xattrs: { 'security.capability': CAPABILITY } }),
  file('usr/unreadable', 'x', { mode: 0 }),
  file('usr/attributes', 'x', { xattrs: { 'user.one': 'first', 'user.two': 'a=b\nc' } }),
  file('usr/empty', ''),
  file('usr/large', Buffer.alloc(3_000_001, 'large ')),
  file(`usr/${'n'.repeat(255)}`, 'a long name'),
  ...Array.from({ length: 40 }, (_, level) => directory('deep/'.repeat(level + 1))),
  file(`${'deep/'.repeat(40)}file`, 'a long path'),
  file('usr/ünïcödé \n"name"', 'x'),
  file('before-1970', 'x', at('-86400.25')),
  file('after-2038', 'x', at('4000000000')),
  hardlink('usr/same', 'usr/program'),
  symlink('absolute', '/usr/program'),
  symlink('dangling', '../../nowhere'),
  symlink('usr/link', 'program'),
  hardlink('link-to-link', 'usr/link'),
  directory('tmp', { mode: 0o1777 }),
  directory('through'),
  symlink('lib', 'through'),
  file('lib/file', 'written through a link of the layer'),
  { path: 'null', type: 'character-device', device: [1, 3], mode: 0o666 },
  { path: 'disk', type: 'block-device', device: [8, 1], mode: 0o660, gid: 6 },
  { path: 'minor', type: 'character-device', device: [300, 70_000], mode: 0o600 },
  { path: 'queue', type: 'fifo', mode: 0o640 },
  file('replaced', 'first'),
  directory('replaced', { mode: 0o700 }),
  directory('emptied'),
  file('emptied/gone', 'x'),
  file('emptied', 'now a file'),
];

for (const compression of ['none', 'gzip', 'zstd'] as Compression[]) {
  t.test(`a good archive, ${compression}: the same tree as GNU tar's, and both digests`, async (t) => {
    const { data, digest, diffId } = await buildLayer(good(), compression);
    const { root, code, stdout, stderr } = await unpack(t, data);
    t.equal(code, 0, stderr);
    const answer = new Map(
      stdout
        .toString()
        .trim()
        .split('\n')
        .map((line) => line.split(' ') as [string, string]),
    );
    t.equal(answer.get('digest'), digest);
    t.equal(answer.get('diffid'), diffId);
    t.equal(answer.get('entries'), `${good().length}`);

    const reference = await temporary(t);
    const tar = (await buildLayer(good(), 'none')).data;
    const options = [
      '--numeric-owner',
      '--same-owner',
      '-p',
      '--xattrs',
      '--xattrs-include=*',
      '--recursive-unlink',
      '--delay-directory-restore',
    ];
    await pipe('tar', ['-x', ...options, '-C', reference], tar);
    await promisify(execFile)('setfattr', ['-n', 'trusted.overlay.opaque', '-v', 'y', join(reference, 'replaced')]);
    // GNU tar leaves the directory alone that it extracts into.
    await chmod(reference, 0o755);
    await utimes(reference, 1600000000.5, 1600000000.5);
    const [ours, theirs] = await Promise.all([archiveOf(root), archiveOf(reference)]);
    if (!t.equal(sha256(ours), sha256(theirs), 'nothing differs')) t.same(await list(ours), await list(theirs));
  });
}

const pipe = async (command: string, args: string[], input: Buffer): Promise<string> => {
  const running = promisify(execFile)(command, args, { maxBuffer: 1 << 24 });
  running.child.stdin?.end(input);
  return (await running).stdout;
};
const list = async (archive: Buffer) =>
  (await pipe('tar', ['-tvv', '--full-time', '--xattrs'], archive)).replaceAll(/ +/g, ' ').split('\n');

const isWhiteout = async (path: string) => {
  const info = await lstat(path);
  return info.isCharacterDevice() && info.rdev === 0;
};

const whiteouts = (name: string, entries: Entry[], check: (t: Test, root: string) => Promise<void>) =>
  t.test(name, async (t) => {
    const { root, code, stderr } = await unpack(t, entries);
    t.equal(code, 0, stderr);
    await check(t, root);
  });

whiteouts('a whiteout', [directory('d'), file('d/.wh.x', 'ignored'), file('.wh.y', '')], async (t, root) => {
  t.ok(await isWhiteout(join(root, 'd/x')));
  t.ok(await isWhiteout(join(root, 'y')));
  await t.rejects(lstat(join(root, 'd/.wh.x')), 'its own name is not in the tree');
});
for (const entries of [
  [file('.wh.x', ''), file('x', 'new')],
  [file('x', 'new'), file('.wh.x', '')],
])
  whiteouts(`${entries.map(({ path }) => path).join(', then ')}: the file stays`, entries, async (t, root) => {
    t.ok((await lstat(join(root, 'x'))).isFile());
  });

/** The upper layer alone decides what `merged` shows. */
const merged = async (t: Test, lower: Entry[], upper: Entry[], shown: string[]) => {
  const below = await unpack(t, lower);
  const above = await unpack(t, upper);
  t.equal(below.code, 0, below.stderr);
  t.equal(above.code, 0, above.stderr);
  const place = join(await temporary(t), 'merged');
  await mkdir(place);
  await promisify(execFile)('mount', [
    '-t',
    'overlay',
    '-o',
    `ro,lowerdir=${above.root}:${below.root}`,
    'overlay',
    place,
  ]);
  const { stdout } = await promisify(execFile)('find', [place, '-mindepth', '1', '-printf', '%P\n']).finally(() =>
    promisify(execFile)('umount', [place]),
  );
  t.same(stdout.trim().split('\n').sort(), shown);
};

const LOWER = [directory('d'), file('d/old', 'x'), directory('d/sub'), file('d/sub/old', 'x'), file('kept', 'x')];
const cases: Array<[string, Entry[], string[]]> = [
  ['a whiteout', [file('.wh.d', '')], ['kept']],
  ['an opaque directory', [directory('d'), file('d/.wh..wh..opq', ''), file('d/new', 'x')], ['d', 'd/new', 'kept']],
  [
    'an opaque mark that comes last',
    [directory('d'), file('d/new', 'x'), file('d/.wh..wh..opq', '')],
    ['d', 'd/new', 'kept'],
  ],
  ['an opaque mark whose directory comes later', [file('d/.wh..wh..opq', ''), directory('d')], ['d', 'kept']],
  ['a whiteout, then a directory', [file('.wh.d', ''), directory('d'), file('d/new', 'x')], ['d', 'd/new', 'kept']],
  ['a directory, then its whiteout', [directory('d'), file('d/new', 'x'), file('.wh.d', '')], ['d', 'd/new', 'kept']],
  ['a whiteout, then a file below it', [file('.wh.d', ''), file('d/new', 'x')], ['d', 'd/new', 'kept']],
  ['a file, then a directory', [file('d', 'x'), directory('d'), file('d/new', 'x')], ['d', 'd/new', 'kept']],
  [
    'bookkeeping of AUFS',
    [directory('.wh..wh.plnk'), file('.wh..wh.plnk/1.2', 'x'), file('.wh..wh.aufs', ''), file('.wh.d', '')],
    ['kept'],
  ],
  ['a file in place of a directory', [file('d', 'x')], ['d', 'kept']],
];
for (const [name, upper, shown] of cases) t.test(`over a lower layer: ${name}`, (t) => merged(t, LOWER, upper, shown));

t.test('a default ACL is for what is made later, not for what the archive has below it', async (t) => {
  const reference = await temporary(t);
  await mkdir(join(reference, 'd'));
  // Version 2; user::rwx, group::rwx, other::rwx (acl(5), linux/posix_acl_xattr.h).
  const acl = '0x02000000010007ffffffff04000700ffffffff20000700ffffffff'.replace('010007ff', '01000700ff');
  await promisify(execFile)('setfattr', ['-n', 'system.posix_acl_default', '-v', acl, join(reference, 'd')]);
  await writeFile(join(reference, 'd', 'f'), 'x', { mode: 0o600 });
  await promisify(execFile)('setfattr', ['-x', 'system.posix_acl_access', join(reference, 'd', 'f')]).catch(
    () => undefined,
  );
  const tar = await archiveOf(reference);
  const { root, code, stderr } = await unpack(t, tar);
  t.equal(code, 0, stderr);
  t.ok(tar.includes('posix_acl_default'));
  t.equal(sha256(await archiveOf(root)), sha256(tar));
});
