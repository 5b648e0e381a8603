import { execFile } from 'node:child_process';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { makeCanary } from '../harness/canary.js';
import { LOCAL, run, temporary } from './unpacker.js';

const command = promisify(execFile);

t.test('CVE-2017-1002102: trees full of links go, what the links lead to stays', async (t) => {
  const canary = await makeCanary(t);
  const place = await temporary(t);
  const farm = join(place, 'farm');
  await mkdir(join(farm, 'a/b/c'), { recursive: true });
  for (const at of ['', 'a', 'a/b', 'a/b/c'])
    for (let i = 0; i < 50; i++) await symlink(canary.path, join(farm, at, `lifted-${i}`));
  await symlink(canary.path, join(place, 'direct'));
  const { code, stderr } = await run(['remove', place, 'farm', 'direct', 'missing'], undefined, canary.path);
  t.equal(code, 0, stderr);
  await canary.assertIntact(t);
  t.same(await readdir(place), []);
});

t.test('two thousand levels', async (t) => {
  const place = await temporary(t);
  await command('bash', [
    '-c',
    'cd "$1"; mkdir top; cd top; for ((i = 0; i < 100; i++)); do mkdir -p "$2"; cd -P "$2"; done',
    'bash',
    place,
    Array.from({ length: 20 }, (_, i) => `lifted-${i % 2}`).join('/'),
  ]);
  const { code, stderr } = await run(['remove', place, 'top']);
  t.equal(code, 0, stderr);
  t.same(await readdir(place), []);
});

t.test('special files, odd names and modes', async (t) => {
  const place = await temporary(t);
  const top = join(place, 'top');
  await mkdir(join(top, 'closed', 'inner'), { recursive: true });
  await mkdir(join(top, 'sticky'), { mode: 0o1777 });
  await writeFile(join(top, 'sticky', 'other'), '');
  await command('chown', ['-R', '1000:1000', top]);
  await command('mkfifo', [join(top, 'fifo')]);
  await command('mknod', [join(top, 'whiteout'), 'c', '0', '0']);
  await writeFile(join(top, '-rf'), '');
  await writeFile(join(top, 'new\nline \xff'), '');
  await command('chmod', ['000', join(top, 'closed'), top]);
  const { code, stderr } = await run(['remove', place, 'top']);
  t.equal(code, 0, stderr);
  t.same(await readdir(place), []);
});

t.test('what is mounted in a tree is not its content', async (t) => {
  const canary = await makeCanary(t);
  const place = await temporary(t);
  const target = join(place, 'top', 'inner', 'target');
  await mkdir(target, { recursive: true });
  await command('mount', ['--bind', canary.path, target]);
  const { code, stderr } = await run(['remove', place, 'top']);
  await command('umount', [target]).catch(() => command('bash', ['-c', 'umount "$1"/top/*', 'bash', place]));
  await canary.assertIntact(t);
  t.equal(code, LOCAL);
  t.match(stderr, /busy/);
  t.equal((await run(['remove', place, 'top'])).code, 0, 'unmounted, it goes');
});

t.test('an immutable file is named', async (t) => {
  const place = await temporary(t);
  await mkdir(join(place, 'top'));
  await writeFile(join(place, 'top', 'stays'), '');
  await command('chattr', ['+i', join(place, 'top', 'stays')]);
  const { code, stderr } = await run(['remove', place, 'top']);
  await command('chattr', ['-i', join(place, 'top', 'stays')]);
  t.equal(code, LOCAL);
  t.match(stderr, /^Operation not permitted: "stays"/);
});

t.test('names that are no names', async (t) => {
  const place = await temporary(t);
  for (const name of ['', '.', '..', 'a/b', '/'])
    t.equal((await run(['remove', place, 'missing', name])).code, 100, JSON.stringify(name));
});
