import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
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
  const { root, bin } = plugins(t);
  const refuse = (type: string, error: RegExp) => t.match(findPlugin(type, [bin], ME), { error }, type);
  symlinkSync(join(root, 'elsewhere/other'), join(bin, 'link-out'));
  refuse('link-out', /outside the plugin directories/);
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
