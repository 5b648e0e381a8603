import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Session } from './session.js';

/** Starts the next session and says which of the given ones it doubted. */
const start = async (file: string, boot: string, made: number[]) => {
  const session = await Session.open(file, boot);
  const doubted = made.filter((number) => session.doubts(number));
  await session.begin(Math.max(0, ...made));
  return { session, doubted };
};

t.test('after an orderly stop nothing is in doubt, whatever the machine did since', async (t) => {
  const file = join(t.testdir(), 'mark');
  const { session, doubted } = await start(file, 'a', []);
  t.strictSame([session.number, doubted], [1, []]);
  await session.end();
  t.match(JSON.parse(readFileSync(file, 'utf8')), { clean: true });
  t.strictSame((await start(file, 'b', [1])).doubted, []);
  t.match(JSON.parse(readFileSync(file, 'utf8')), { clean: false, number: 2 }, 'a start takes the mark away');
});

t.test('after a power loss only what came after the last orderly stop is in doubt', async (t) => {
  const file = join(t.testdir(), 'mark');
  await (await start(file, 'a', [])).session.end();
  await start(file, 'a', [1]);
  t.strictSame((await start(file, 'b', [1, 2])).doubted, [2]);
  t.strictSame((await start(file, 'c', [1, 2, 3])).doubted, [3], 'what was verified is not verified again');
});

t.test('a daemon that was killed loses nothing; the doubt stays for a later power loss', async (t) => {
  const file = join(t.testdir(), 'mark');
  await (await start(file, 'a', [])).session.end();
  await start(file, 'a', [1]);
  t.strictSame((await start(file, 'a', [1, 2])).doubted, []);
  t.strictSame((await start(file, 'b', [1, 2, 3])).doubted, [2, 3]);
});

t.test('without a mark everything is in doubt, and numbers go on', async (t) => {
  const file = join(t.testdir(), 'mark');
  for (const torn of [undefined, '', '{"version":1', 'null', '{"version":2}', '{"version":1,"number":"7"}']) {
    if (torn !== undefined) writeFileSync(file, torn);
    const { session, doubted } = await start(file, 'a', [1, 7]);
    t.strictSame([session.number, doubted], [8, [1, 7]], torn ?? 'absent');
  }
});

t.test('a session that could not write its mark is in doubt after the next power loss', async (t) => {
  const file = join(t.testdir(), 'mark');
  await (await start(file, 'a', [])).session.end();
  const before = readFileSync(file);
  await start(file, 'a', [1]);
  writeFileSync(file, before);
  t.strictSame((await start(file, 'b', [1, 2])).doubted, [2]);
});
