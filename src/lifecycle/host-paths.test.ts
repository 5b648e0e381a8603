import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Mount__Output } from '../gen/runtime/v1/Mount.js';
import { makeHostPaths, missingHostPaths } from './host-paths.js';

const mount = (hostPath: string, image = '') =>
  ({ hostPath, containerPath: '/data', image: image === '' ? null : { image } }) as Mount__Output;

t.test('what is missing is made, whatever the umask', async (t) => {
  const root = t.testdir();
  mkdirSync(join(root, 'there'), { mode: 0o700 });
  const wanted = [join(root, 'there'), join(root, 'a/b/c')].map((path) => mount(path));
  const missing = await missingHostPaths([...wanted, mount('', 'image'), mount('relative')]);
  t.same(
    missing.map(({ hostPath }) => hostPath),
    [join(root, 'a/b/c')],
  );
  const umask = process.umask(0o022);
  t.teardown(() => process.umask(umask));
  await makeHostPaths(missing);
  t.equal(statSync(join(root, 'a/b/c')).mode & 0o7777, 0o755);
  t.equal(statSync(join(root, 'there')).mode & 0o7777, 0o700, 'what is there stays as it is');
});

t.test('what cannot be made says why', async (t) => {
  const root = t.testdir();
  symlinkSync('nowhere/below', join(root, 'link'));
  writeFileSync(join(root, 'file'), '');
  t.same(await missingHostPaths([mount(join(root, 'file/below'))]), [], 'a file on the way is for the mount to tell');
  const missing = await missingHostPaths([mount(join(root, 'link'))]);
  await t.rejects(makeHostPaths(missing), {
    code: 3,
    message: /^no such directory, and it cannot be made \(ENOENT at .*link\): host_path .*link of mount \/data$/,
  });
  const nowhere = await missingHostPaths([mount('/proc/no/source')]);
  await t.rejects(makeHostPaths(nowhere), { code: 3, message: /ENOENT at \/proc\/no\)/ });
});
