import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { Trash } from './trash.js';
import type { Unpacker } from './unpack.js';

const log = pino({ level: 'silent' });
/** `remove PARENT NAME…` */
const REMOVE: Unpacker = ['/bin/sh', '-c', 'shift; cd "$1" && shift && exec /bin/rm -r -- "$@"', 'unpack'];

const setUp = async (t: Test, unpacker = REMOVE) => {
  const root = t.testdir({ old: { f: 'x' } });
  const directory = join(root, 'trash');
  return { root, directory, trash: await Trash.open(directory, unpacker, log) };
};

t.test('what is taken is out of the way at once and gone when the trash is empty', async (t) => {
  const { root, directory, trash } = await setUp(t);
  await trash.take(join(root, 'old'));
  t.notOk(existsSync(join(root, 'old')));
  t.equal(readdirSync(directory).length, 1);
  await trash.empty();
  t.strictSame(readdirSync(directory), []);
  await trash.take(join(root, 'old'));
  await trash.take(join(root, 'absent/too'));
  await trash.empty();
});

t.test('many directories go with one process', async (t) => {
  const root = t.testdir();
  const counting: Unpacker = ['/bin/sh', '-c', `echo run >> "$0"; ${REMOVE[2]}`, join(root, 'runs')];
  const trash = await Trash.open(join(root, 'trash'), counting, log);
  for (let index = 0; index < 20; index++) mkdirSync(join(root, `d${index}`));
  await Promise.all(Array.from({ length: 20 }, (_, index) => trash.take(join(root, `d${index}`))));
  await trash.empty();
  t.strictSame(readdirSync(join(root, 'trash')), []);
  t.equal(readFileSync(join(root, 'runs'), 'utf8'), 'run\n');
});

t.test('close() ends a removal that is running and starts no other; the next start goes on', async (t) => {
  const root = t.testdir({ one: {}, two: {} });
  const directory = join(root, 'trash');
  const started = join(root, 'started');
  const slow: Unpacker = ['/bin/sh', '-c', 'echo > "$0"; exec /bin/sleep 1000', started];
  const trash = await Trash.open(directory, slow, log);
  await trash.take(join(root, 'one'));
  const emptied = trash.empty();
  while (!existsSync(started)) await new Promise((resolve) => setImmediate(resolve));
  const closed = trash.close();
  await trash.take(join(root, 'two'));
  await Promise.all([closed, emptied]);
  t.equal(readdirSync(directory).length, 2);
  t.notOk(existsSync(join(root, 'two')));
  await (await Trash.open(directory, REMOVE, log)).empty();
  t.strictSame(readdirSync(directory), []);
});

t.test('a removal that fails is left to the next start, and others still go', async (t) => {
  const { root, directory, trash } = await setUp(t, [
    ...REMOVE.slice(0, 2),
    `[ -e "${t.testdirName}/ok" ] || exit 2; ${REMOVE[2]}`,
    'unpack',
  ] as unknown as Unpacker);
  await trash.take(join(root, 'old'));
  await trash.empty();
  t.equal(readdirSync(directory).length, 1);
  writeFileSync(join(root, 'ok'), '');
  mkdirSync(join(root, 'new'));
  await trash.take(join(root, 'new'));
  await trash.empty();
  t.equal(readdirSync(directory).length, 1);
});
