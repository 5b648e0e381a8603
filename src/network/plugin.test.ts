import { chmodSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findPlugin } from './plugin.js';

const ME = process.getuid?.() ?? 0;

const plugins = (test: Pick<typeof t, 'testdir'>) => {
  const root = test.testdir({ bin: {}, elsewhere: {} });
  for (const name of ['bin/good', 'elsewhere/other']) writeFileSync(join(root, name), '#!/bin/sh\n', { mode: 0o755 });
  chmodSync(join(root, 'bin'), 0o755);
  return { root, bin: join(root, 'bin') };
};

t.test('a plugin is found in the first directory that has it', async (t) => {
  const { root, bin } = plugins(t);
  t.same(findPlugin('good', [join(root, 'missing'), bin], ME), { path: join(bin, 'good') });
  t.match(findPlugin('absent', [bin], ME), { error: /"absent" is missing: no such file in .*bin/ });
});

t.test('one program under several names', async (t) => {
  const { bin } = plugins(t);
  symlinkSync('good', join(bin, 'alias'));
  t.same(findPlugin('alias', [bin], ME), { path: join(bin, 'alias') }, 'run under the name that was asked for');
});

t.test('CVE-2021-20206: only what root alone could have put there is run', async (t) => {
  const { bin } = plugins(t);
  const refuse = (type: string, error: RegExp) => t.match(findPlugin(type, [bin], ME), { error }, type);
  writeFileSync(join(bin, 'writable'), '');
  chmodSync(join(bin, 'writable'), 0o757);
  refuse('writable', /writable by others .*mode 757/);
  chmodSync(join(bin, 'writable'), 0o775);
  refuse('writable', /writable by others .*mode 775/);
  writeFileSync(join(bin, 'data'), '', { mode: 0o644 });
  refuse('data', /not executable/);
  mkdirSync(join(bin, 'folder'));
  refuse('folder', /not a regular file/);
  t.match(findPlugin('good', [bin], ME + 1), { error: /belongs to uid/ });
  chmodSync(bin, 0o777);
  refuse('good', /bin is writable by others/);
});

t.test('a link may lead out of the directories where the whole way is in the same hands', async (t) => {
  const { root, bin } = plugins(t);
  const store = join(root, 'store');
  const link = join(bin, 'link-out');
  mkdirSync(join(store, 'hash-cni'), { recursive: true });
  writeFileSync(join(store, 'hash-cni/other'), '#!/bin/sh\n', { mode: 0o755 });
  // As NixOS has it: a link to a link, and a store that a group may add to but not take from.
  symlinkSync(join(root, 'current/other'), link);
  symlinkSync('store/hash-cni', join(root, 'current'));
  chmodSync(store, 0o1775);
  const found = () => findPlugin('link-out', [bin], ME);
  t.same(found(), { path: link }, 'run under the name that was asked for');
  chmodSync(store, 0o775);
  t.match(found(), { error: /store is writable by others .*mode 775\), and .*link-out is a link to .*other$/ });
  chmodSync(store, 0o755);
  chmodSync(join(store, 'hash-cni/other'), 0o757);
  t.match(found(), { error: /other is writable by others/ });
  chmodSync(join(store, 'hash-cni/other'), 0o755);
  chmodSync(root, 0o777);
  t.match(found(), { error: /is writable by others/ }, 'where the link between lies');
  chmodSync(root, 0o755);
  lchownSync(join(root, 'current'), 12_345, 12_345);
  t.match(found(), { error: /current belongs to uid 12345/ }, 'whose the link between is');
});

t.test('a link in a directory that others may write to is not followed', async (t) => {
  const { root, bin } = plugins(t);
  symlinkSync(join(bin, 'good'), join(root, 'elsewhere/good'));
  chmodSync(join(root, 'elsewhere'), 0o777);
  t.match(findPlugin('good', [join(root, 'elsewhere'), bin], ME), { error: /elsewhere is writable by others/ });
});
