import { execFile } from 'node:child_process';
import { mkdir, open, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { makeCanary } from '../harness/canary.js';
import { until } from '../harness/wait.js';
import { BAD_INPUT, ended, run, start, temporary } from './unpacker.js';

const command = promisify(execFile);
const PASSWD = 'root:x:0:0::/:/bin/sh\n';

const layer = async (t: Test): Promise<string> => {
  const root = await temporary(t);
  await mkdir(join(root, 'etc'));
  return root;
};

/** The answer as text, or the refusal. */
const identity = async (...layers: string[]): Promise<string> => {
  const { code, stdout, stderr } = await run(['identity', ...layers]);
  return code === 0 ? stdout.toString() : `${code}: ${stderr}`;
};

const answer = (passwd: string, group: string) =>
  `passwd ${Buffer.byteLength(passwd)}\n${passwd}\ngroup ${Buffer.byteLength(group)}\n${group}\n`;

t.test('what the layers show together', async (t) => {
  const below = await layer(t);
  const above = await layer(t);
  await writeFile(join(below, 'etc/passwd'), PASSWD);
  await writeFile(join(below, 'etc/group'), 'below:x:1:\n');
  await writeFile(join(above, 'etc/group'), 'above:x:2:\n');
  t.equal(await identity(below), answer(PASSWD, 'below:x:1:\n'));
  t.equal(await identity(above, below), answer(PASSWD, 'above:x:2:\n'));
  t.equal(await identity(below, above), answer(PASSWD, 'below:x:1:\n'), 'the first is the topmost');
  await command('mknod', [join(above, 'etc/passwd'), 'c', '0', '0']);
  t.equal(await identity(above, below), answer('', 'above:x:2:\n'), 'a whiteout');
  t.equal(await identity(above), answer('', 'above:x:2:\n'), 'a whiteout in the only layer');
  t.equal(await identity(await temporary(t)), answer('', ''), 'no /etc');
});

t.test('a hundred layers', async (t) => {
  const place = await temporary(t);
  const layers = Array.from({ length: 100 }, (_, i) => join(place, `${i}-${'long'.repeat(30)}`));
  for (const path of layers) await mkdir(join(path, 'etc'), { recursive: true });
  await writeFile(join(layers[99] ?? '', 'etc/passwd'), PASSWD);
  t.equal(await identity(...layers), answer(PASSWD, ''));
});

t.test('CVE-2026-47262: what is no file of the image is neither read nor opened', async (t) => {
  const canary = await makeCanary(t);
  const empty = await layer(t);
  const bad: Array<[string, (path: string) => Promise<unknown>, RegExp]> = [
    ['a FIFO', (path) => command('mkfifo', [path]), /^1: not a regular file: \/etc\/passwd/],
    ['/dev/zero', (path) => command('mknod', [path, 'c', '1', '5']), /^1: not a regular file/],
    ['a terminal', (path) => command('mknod', [path, 'c', '5', '0']), /^1: not a regular file/],
    ['a directory', (path) => mkdir(path), /^1: not a regular file/],
    ['a file of 10 GiB', async (path) => (await open(path, 'w')).truncate(10 * 2 ** 30), /^1: larger than 1 MiB/],
    ['a loop', (path) => symlink('passwd', path), /^1: Too many levels of symbolic links/],
    ['a link to /proc', (path) => symlink('/proc/self/environ', path), /^passwd 0\n/],
    ['a link to the host', (path) => symlink(`${canary.path}/secret`, path), /^passwd 0\n/],
    ['a link with ..', (path) => symlink(`${'../'.repeat(20)}${canary.path}/secret`, path), /^passwd 0\n/],
  ];
  for (const [name, make, outcome] of bad) {
    const root = await layer(t);
    await make(join(root, 'etc/passwd'));
    const begin = Date.now();
    for (const layers of [[root], [root, empty]]) {
      const text = await identity(...layers);
      t.match(text, outcome, `${name}, ${layers.length} layers`);
      t.notOk(text.includes(canary.secret));
    }
    t.ok(Date.now() - begin < 5000, 'soon');
  }
  await canary.assertIntact(t);
});

t.test('CVE-2025-4437: links of the image work, absolute ones too', async (t) => {
  const root = await layer(t);
  await mkdir(join(root, 'usr/share'), { recursive: true });
  await writeFile(join(root, 'usr/share/passwd'), PASSWD);
  await symlink('/usr/share/passwd', join(root, 'etc/passwd'));
  await symlink('../../../usr/share/passwd', join(root, 'etc/group'));
  t.equal(await identity(root), answer(PASSWD, PASSWD));
  t.equal(await identity(root, await layer(t)), answer(PASSWD, PASSWD));
});

t.test('a megabyte, no newline, modes that keep others out', async (t) => {
  const root = await layer(t);
  const large = 'x:::\n'.repeat(200_000);
  await writeFile(join(root, 'etc/passwd'), large, { mode: 0 });
  await writeFile(join(root, 'etc/group'), 'no newline', { mode: 0 });
  t.equal(await identity(root), answer(large, 'no newline'));
  await writeFile(join(root, 'etc/group'), Buffer.alloc(2 ** 20 + 1, 'x'));
  t.equal((await run(['identity', root])).code, BAD_INPUT);
});

t.test('it reads as a process that can do nothing else', async (t) => {
  const root = await layer(t);
  await writeFile(join(root, 'etc/passwd'), Buffer.alloc(2 ** 20, 'x'));
  const child = start(['identity', root]);
  t.teardown(() => child.kill('SIGKILL'));
  // It has more to say than the pipe holds, and nobody listens yet.
  const text = () => readFile(`/proc/${child.pid}/status`, 'utf8');
  const status = await until('its filter', async () => {
    const found = await text();
    return /^Seccomp:\t2$/m.test(found) && found;
  });
  t.match(status, /^CapEff:\t0000000000000004$/m, 'dac_read_search');
  t.match(status, /^CapBnd:\t0000000000000004$/m);
  t.match(status, /^NoNewPrivs:\t1$/m);
  const mounts = (await readFile(`/proc/${child.pid}/mountinfo`, 'utf8')).trim().split('\n');
  t.equal(mounts.length, 1, 'nothing but the image is mounted');
  t.match(mounts[0], / \/ ro,nosuid,nodev,noexec/);
  t.equal((await ended(child)).code, 0);
});
