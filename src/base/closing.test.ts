import { pino } from 'pino';
import t from 'tap';
import { Closing, withRollback } from './closing.js';
import { within } from './within.js';

const log = pino({ level: 'silent' });

t.test('what was done is undone in reverse order, also when an undo fails, and the cause comes out', async (t) => {
  const undone: string[] = [];
  const failing = withRollback(log, async (rollback) => {
    rollback.defer('first', () => void undone.push('first'));
    rollback.defer('second', async () => {
      undone.push('second');
      throw new Error('undo failed');
    });
    rollback.defer('third', () => void undone.push('third'));
    throw new Error('the cause');
  });
  await t.rejects(failing, { message: 'the cause' });
  t.same(undone, ['third', 'second', 'first']);
});

t.test('success undoes nothing', async (t) => {
  const undone: string[] = [];
  t.equal(
    await withRollback(log, async (rollback) => {
      rollback.defer('step', () => void undone.push('step'));
      return 7;
    }),
    7,
  );
  t.same(undone, []);
});

t.test('what was opened is closed once, the last first, when all goes well too', async (t) => {
  const closed: string[] = [];
  const closing = new Closing(log);
  const open = (name: string) => closing.with(name, { name }, (it) => void closed.push(it.name));
  t.same(open('journal'), { name: 'journal' });
  open('spawner');
  await closing.close();
  await closing.close();
  t.same(closed, ['spawner', 'journal']);
});

t.test('no wait is for ever', async (t) => {
  await t.rejects(within(1, new Promise(() => undefined)), { message: /timed out after 1 ms/ });
  t.equal(await within(60_000, Promise.resolve('done')), 'done');
});
