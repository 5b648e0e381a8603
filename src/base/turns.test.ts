import t from 'tap';
import { Flights, Turns } from './turns.js';

const gate = () => {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
};

t.test('operations on one object run one after the other, on different objects side by side', async (t) => {
  const turns = new Turns();
  const order: string[] = [];
  const first = gate();
  const a1 = turns.run('a', async () => {
    await first.opened;
    order.push('a1');
  });
  const a2 = turns.run('a', async () => void order.push('a2'));
  await turns.run('b', async () => void order.push('b'));
  first.open();
  await Promise.all([a1, a2]);
  t.same(order, ['b', 'a1', 'a2']);
});

t.test('a failed operation fails alone', async (t) => {
  const turns = new Turns();
  const failed = turns.run('a', async () => Promise.reject(new Error('no')));
  const next = turns.run('a', async () => 'yes');
  await t.rejects(failed, { message: 'no' });
  t.equal(await next, 'yes');
});

t.test('a repeated request joins the running one, a different one with its name is refused', async (t) => {
  const flights = new Flights();
  const hold = gate();
  let runs = 0;
  const ask = (detail: string) =>
    flights.run(
      'name',
      detail,
      async () => {
        runs++;
        await hold.opened;
        return runs;
      },
      () => new Error('taken'),
    );
  const both = Promise.all([ask('same'), ask('same')]);
  await t.rejects(ask('other'), { message: 'taken' });
  hold.open();
  t.same(await both, [1, 1]);
  t.equal(await ask('other'), 2, 'the name is free again');
});

t.test('what can be asked in one way only is joined as well', async (t) => {
  const flights = new Flights();
  const hold = gate();
  let runs = 0;
  const ask = () =>
    flights.join('stop', async () => {
      runs++;
      await hold.opened;
      throw new Error('no');
    });
  const all = [ask(), ask(), ask()].map((asked) => t.rejects(asked, { message: 'no' }));
  hold.open();
  await Promise.all(all);
  t.equal(runs, 1, 'and who joined fails with it');
  await t.rejects(ask());
  t.equal(runs, 2, 'the next goes on from there');
});
