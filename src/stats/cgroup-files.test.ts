import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CgroupFiles } from './cgroup-files.js';

const openBelow = (root: string): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(root);
    } catch {
      return false; // the one of this listing
    }
  }).length;

t.test('files stay open, are read anew each time, and are closed with their cgroup', async (t) => {
  const root = t.testdir({ a: { usage: '1\n', limit: '5\n' }, b: { usage: '2\n' } });
  const files = new CgroupFiles(100);
  const [a, b] = [files.of('/a'), files.of('/b')];
  t.equal(a(join(root, 'a/usage')), '1\n');
  t.equal(a(join(root, 'a/limit')), '5\n');
  t.equal(b(join(root, 'b/usage')), '2\n');
  t.equal(openBelow(root), 3);
  writeFileSync(join(root, 'a/usage'), '17\n');
  t.equal(a(join(root, 'a/usage')), '17\n');
  t.equal(openBelow(root), 3);
  files.forget('/a');
  files.forget('/never');
  t.equal(openBelow(root), 1);
  t.equal(a(join(root, 'a/limit')), '5\n', 'and can be read again');
});

t.test('what is not there is undefined, and is found when it is', async (t) => {
  const root = t.testdir({});
  const read = new CgroupFiles(100).of('/late');
  t.equal(read(join(root, 'late/usage')), undefined);
  mkdirSync(join(root, 'late'));
  writeFileSync(join(root, 'late/usage'), '3\n');
  t.equal(read(join(root, 'late/usage')), '3\n');
  t.throws(() => read(root), { code: 'EISDIR' }, 'anything but absence is an error');
});

t.test('no more than the limit is kept open', async (t) => {
  const root = t.testdir({ a: '1', b: '2' });
  const files = new CgroupFiles(1);
  const read = files.of('/');
  for (const round of [1, 2]) {
    t.equal(read(join(root, 'a')), '1', `round ${round}`);
    t.equal(read(join(root, 'b')), '2');
    t.equal(openBelow(root), 1);
  }
  files.forget('/');
  t.equal(read(join(root, 'b')), '2');
  t.equal(openBelow(root), 1, 'room was made');
});
