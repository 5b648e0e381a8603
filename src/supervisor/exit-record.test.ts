import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parseExitRecord, readExitRecords } from './exit-record.js';

const TEXT = '1 137 1 1795488667784863967 1795488667786041201\nkilled:\nby the kernel\n';
const RECORD = {
  exitCode: 137,
  oom: true,
  startedAt: 1795488667784863967n,
  exitedAt: 1795488667786041201n,
  message: 'killed:\nby the kernel',
};

t.test('a record is read as it was written', async (t) => {
  t.same(parseExitRecord(TEXT), RECORD);
  t.same(parseExitRecord('1 0 0 0 5\n\n'), { exitCode: 0, oom: false, startedAt: 0n, exitedAt: 5n, message: '' });
});

t.test('a record of another version, or one that is cut in its first line, is none', async (t) => {
  const head = TEXT.indexOf('\n');
  for (let cut = 0; cut <= head; cut++) t.equal(parseExitRecord(TEXT.slice(0, cut)), undefined, `${cut} bytes`);
  t.equal(parseExitRecord(TEXT.slice(0, -1)), undefined, 'the end of the message is missing');
  t.equal(parseExitRecord(`2${TEXT.slice(1)}`), undefined, 'version 2');
});

t.test('the records of a directory; what was never finished and what is no file is left out', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'jangada-exits-'));
  t.teardown(() => rm(directory, { recursive: true }));
  t.equal((await readExitRecords(directory)).size, 0, 'no directory: no exits');
  await mkdir(join(directory, 'exits/directory'), { recursive: true });
  await writeFile(join(directory, 'exits/abc'), TEXT);
  await writeFile(join(directory, 'exits/.def'), TEXT);
  await writeFile(join(directory, 'exits/broken'), 'x');
  await symlink('abc', join(directory, 'exits/link'));
  t.same([...(await readExitRecords(directory))], [['abc', RECORD]]);
});
