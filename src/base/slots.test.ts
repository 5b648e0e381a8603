import t from 'tap';
import { Slots } from './slots.js';

const never = new AbortController().signal;
const gate = () => {
  let open = () => undefined as void;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
};

t.test('as many run as there are slots; the others follow in the order of their arrival', async (t) => {
  const slots = new Slots(2);
  const gates = [gate(), gate(), gate(), gate()];
  const began: number[] = [];
  const runs = gates.map(({ passed }, index) =>
    slots.run(never, async () => {
      began.push(index);
      await passed;
      return index;
    }),
  );
  await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(began, [0, 1]);
  gates[1]?.open();
  await runs[1];
  await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(began, [0, 1, 2]);
  for (const { open } of gates) open();
  t.strictSame(await Promise.all(runs), [0, 1, 2, 3]);
  t.strictSame(began, [0, 1, 2, 3]);
});

t.test('an operation that fails gives its slot back', async (t) => {
  const slots = new Slots(1);
  await t.rejects(
    slots.run(never, () => Promise.reject(new Error('failed'))),
    { message: 'failed' },
  );
  t.equal(await slots.run(never, async () => 'next'), 'next');
});

t.test('who is aborted while waiting leaves the queue, and nobody loses a slot by it', async (t) => {
  const slots = new Slots(1);
  const { passed, open } = gate();
  const first = slots.run(never, () => passed);
  const abort = new AbortController();
  const waiting = slots.run(abort.signal, async () => t.fail('must not begin'));
  const last = slots.run(never, async () => 'last');
  abort.abort(new Error('stop'));
  await t.rejects(waiting, { message: 'stop' });
  await t.rejects(
    slots.run(abort.signal, async () => t.fail('must not begin')),
    { message: 'stop' },
  );
  open();
  await first;
  t.equal(await last, 'last');
});
