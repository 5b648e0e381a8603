import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { buildLayer, compressLayer, directory, file } from '../harness/layer.js';
import { until } from '../harness/wait.js';
import { BAD_INPUT, ended, LOCAL, run, smallDisk, start, temporary, unpack } from './unpacker.js';

const MIB = 2 ** 20;

t.test('a bomb fills its disk and no more', async (t) => {
  const disk = await smallDisk(t, '8m');
  await mkdir(join(disk, 'layer'));
  const { data } = await buildLayer([file('bomb', Buffer.alloc(64 * MIB))]);
  t.ok(data.length < MIB, 'small when packed');
  const { code, stderr } = await run(['layer', '--target', join(disk, 'layer')], data);
  t.equal(code, LOCAL);
  t.match(stderr, /^No space left on device: "bomb"\n$/);
});

t.test('CVE-2026-59873: a stream that unpacks to more than any honest one is given up early', async (t) => {
  const disk = await smallDisk(t, '3g');
  await mkdir(join(disk, 'layer'));
  // Small blocks that repeat one byte: a few bytes each, 128 KiB when unpacked (RFC 8878, 3.1.1.2, RLE_Block).
  const rle = Buffer.alloc(4 * 20_000);
  for (let i = 0; i < 20_000; i++) rle.set([0x02, 0x00, 0x10, 0], i * 4);
  const frame = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]), rle, Buffer.from([0x03, 0, 0, 0])]);
  const header = (await buildLayer([file('bomb', '', { pax: { size: `${2 ** 40}` } })], 'none')).data.subarray(0, 1536);
  const { data } = await compressLayer(header, 'zstd');
  const { code, stderr } = await run(['layer', '--target', join(disk, 'layer')], Buffer.concat([data, frame]));
  t.equal(code, BAD_INPUT, stderr);
  t.match(stderr, /^decompresses to more than 1100 times its size\n$/);
});

t.test('CVE-2017-14992: padding behind the archive counts', async (t) => {
  const { data } = await buildLayer([file('x', 'x')], 'none');
  const padded = gzipSync(Buffer.concat([data, Buffer.alloc(20 * MIB)]));
  const refused = await unpack(t, padded, { args: ['--max-bytes', `${10 * MIB}`] });
  t.equal(refused.code, BAD_INPUT);
  t.match(refused.stderr, /^archive is larger than 10485760 bytes/);
  t.equal((await unpack(t, padded)).code, 0, 'within the limit it is an archive like another');
});

t.test('--max-bytes and --max-entries', async (t) => {
  const entries = [file('a', Buffer.alloc(5000)), directory('b'), file('c', '')];
  const { data } = await buildLayer(entries, 'none');
  for (const args of [
    ['--max-entries', '2'],
    ['--max-bytes', '4096'],
  ]) {
    const { code, stderr } = await unpack(t, data, { args });
    t.equal(code, BAD_INPUT, stderr);
  }
  t.equal((await unpack(t, data, { args: ['--max-entries', '3', '--max-bytes', `${data.length}`] })).code, 0);
  t.equal((await unpack(t, data, { args: ['--max-bytes', '-1'] })).code, 100, 'a limit that is none');
});

t.test('CVE-2025-58183: large maps, headers and windows are refused before memory is taken', async (t) => {
  const records: Array<Record<string, string>> = [
    { 'GNU.sparse.numblocks': '2147483648' },
    { path: 'x'.repeat(2 * MIB) },
  ];
  for (const pax of records) {
    const { code, stderr } = await unpack(t, [file('x', '', { pax })]);
    t.equal(code, BAD_INPUT, stderr);
  }
});

t.test('CVE-2021-20291: a layer that ends early, in each codec', async (t) => {
  for (const compression of ['none', 'gzip', 'zstd'] as const) {
    const { data } = await buildLayer([file('x', 'some content '.repeat(1000))], compression);
    for (const part of [5, data.length / 2, data.length - 3]) {
      const { code, stderr } = await unpack(t, data.subarray(0, compression === 'none' ? Math.min(part, 9000) : part));
      t.equal(code, BAD_INPUT, `${compression} ${stderr}`);
    }
  }
  t.equal((await unpack(t, Buffer.from('this is no archive'.repeat(100)))).code, BAD_INPUT);
});

t.test('bad input ends it although more input may come', async (t) => {
  const root = await temporary(t);
  const child = start(['layer', '--target', root]);
  child.stdin?.write(Buffer.alloc(3 * MIB, 'x')); // and the pipe stays open
  child.stdin?.on('error', () => undefined);
  const { code, stderr } = await ended(child);
  t.equal(code, BAD_INPUT);
  t.match(stderr, /^not an octal number: checksum/);
});

t.test('an answer that nobody reads is an error', async (t) => {
  const root = await temporary(t);
  const child = start(['layer', '--target', root, '--no-sync']);
  child.stdout?.destroy();
  child.stdin?.end((await buildLayer([file('x', 'x')])).data);
  const { code, stderr } = await new Promise<{ code: number | null; stderr: string }>((resolve) => {
    let text = '';
    child.stderr?.on('data', (chunk) => (text += chunk));
    child.once('close', (status) => resolve({ code: status, stderr: text }));
  });
  t.equal(code, LOCAL);
  t.match(stderr, /^Broken pipe: answer on standard output/);
});

t.test('it ends with the process that feeds it', async (t) => {
  const root = await temporary(t);
  const child = start(['layer', '--target', root]);
  child.stdin?.end((await buildLayer([file('x', Buffer.alloc(MIB))], 'none')).data.subarray(0, 1000));
  t.equal((await ended(child)).code, BAD_INPUT, 'an end of input within the archive');
});

t.test('while it reads it has no privilege, place or system call that it does not need', async (t) => {
  const root = await temporary(t);
  const child = start(['layer', '--target', root]);
  t.teardown(() => child.kill('SIGKILL'));
  const end = ended(child);
  child.stdin?.write((await buildLayer([file('x', Buffer.alloc(MIB))], 'none')).data.subarray(0, 100_000));
  const tasks = `/proc/${child.pid}/task`;
  const statuses = async () => {
    const threads = await readdir(tasks);
    return Promise.all(threads.map((thread) => readFile(join(tasks, thread, 'status'), 'utf8')));
  };
  await until('its filter', async () => {
    const found = await statuses();
    return found.length === 2 && found.every((status) => /^Seccomp:\t2$/m.test(status));
  });
  await writeFile(join(root, 'mark'), '');
  for (const status of await statuses()) {
    const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1];
    // chown, dac_override, dac_read_search, fowner, fsetid, sys_admin, mknod, setfcap
    const capabilities = [0, 1, 2, 3, 4, 21, 27, 31].reduce((set, bit) => set + 2 ** bit, 0);
    for (const set of ['CapEff', 'CapPrm', 'CapBnd']) t.equal(Number.parseInt(field(set) ?? '', 16), capabilities, set);
    for (const set of ['CapInh', 'CapAmb']) t.equal(Number.parseInt(field(set) ?? '', 16), 0, set);
    t.equal(field('NoNewPrivs'), '1');
    t.equal(field('Seccomp'), '2');
  }
  t.same(execFileSync('ls', [`/proc/${child.pid}/root/`]).toString(), 'mark\n', 'its root is the layer');
  t.equal(await readlink(`/proc/${child.pid}/cwd`), '/');
  const mounts = (await readFile(`/proc/${child.pid}/mountinfo`, 'utf8')).trim().split('\n');
  t.equal(mounts.length, 1, 'nothing else is mounted');
  t.match(mounts[0], / nosuid,nodev,noexec|nosuid.*nodev.*noexec/);
  const limits = await readFile(`/proc/${child.pid}/limits`, 'utf8');
  t.match(limits, /^Max address space +1073741824 /m);
  t.match(limits, /^Max core file size +0 /m);
  child.stdin?.end();
  t.equal((await end).code, BAD_INPUT);
});
