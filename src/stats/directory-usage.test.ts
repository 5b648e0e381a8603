import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DirectoryUsage } from './directory-usage.js';

t.test('a tree is counted behind the question', async (t) => {
  const root = t.testdir({ a: 'x'.repeat(5000), sub: { b: 'y' } });
  linkSync(join(root, 'a'), join(root, 'sub/same'));
  symlinkSync('/usr', join(root, 'link'));
  const usage = new DirectoryUsage();
  t.teardown(() => usage.close());
  t.equal(usage.get(root), undefined, 'not known yet');
  await usage.idle();
  const use = usage.get(root);
  t.equal(use?.inodes, 5, 'root, a, sub, b, link; a hard link is the same inode, and links are not followed');
  t.ok(use && use.bytes >= 8192 && use.bytes < 1 << 20, `${use?.bytes} bytes on disk`);
});

t.test('it is counted again when it is old, not before', async (t) => {
  const root = t.testdir({});
  let now = 1_000_000;
  const usage = new DirectoryUsage(() => now);
  t.teardown(() => usage.close());
  const inodes = async () => {
    usage.get(root);
    await usage.idle();
    return usage.get(root)?.inodes;
  };
  t.equal(await inodes(), 1);
  mkdirSync(join(root, 'new'));
  now += 9_000;
  t.equal(await inodes(), 1);
  now += 1_000;
  t.equal(await inodes(), 2);
});

t.test('a tree that is gone, or a file', async (t) => {
  const root = t.testdir({ file: 'x' });
  const usage = new DirectoryUsage();
  t.teardown(() => usage.close());
  usage.get(join(root, 'missing'));
  await usage.idle();
  t.equal(usage.get(join(root, 'missing')), undefined);
});

t.test('several trees are counted one after the other', async (t) => {
  const root = t.testdir({ a: {}, b: { x: '', y: '' } });
  const usage = new DirectoryUsage();
  t.teardown(() => usage.close());
  usage.get(join(root, 'a'));
  usage.get(join(root, 'b'));
  await usage.idle();
  t.same([usage.get(join(root, 'a'))?.inodes, usage.get(join(root, 'b'))?.inodes], [1, 3]);
});

t.test('closing ends a count', async (t) => {
  const root = t.testdir({});
  for (let index = 0; index < 500; index += 1) writeFileSync(join(root, String(index)), '');
  const usage = new DirectoryUsage();
  usage.get(root);
  await usage.close();
  t.equal(usage.get(root), undefined);
  rmSync(root, { recursive: true });
});
