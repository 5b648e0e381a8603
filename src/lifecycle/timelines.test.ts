import t from 'tap';
import { type Subject, Timelines } from './timelines.js';

const subject = (over: Partial<Subject> = {}): Subject => ({
  what: 'RunPodSandbox',
  sandbox: 'p1',
  container: '',
  name: 'web',
  ...over,
});

/** A clock that is set by hand. */
const clocked = () => {
  const time = { ms: 0 };
  return { time, timelines: new Timelines((id) => id === 'p1', { now: () => 1000 + time.ms, elapsed: () => time.ms }) };
};

t.test('a request is kept with its parts and their times', async (t) => {
  const { time, timelines } = clocked();
  const result = await timelines.pass(subject(), async (timed) => {
    time.ms += 1;
    await timed('supervisor', () => void (time.ms += 5));
    return await timed('network', async () => (time.ms += 20));
  });
  t.equal(result, 26);
  t.same(timelines.of('p1'), [
    {
      ...subject(),
      begunAt: 1000,
      ms: 26,
      phases: [
        { what: 'supervisor', at: 1, ms: 5 },
        { what: 'network', at: 6, ms: 20 },
      ],
    },
  ]);
  t.same(timelines.failures(), []);
});

t.test('a failed one says why, and the part in which it failed has its time', async (t) => {
  const { time, timelines } = clocked();
  const failing = timelines.pass(subject({ sandbox: '' }), (timed) =>
    timed('network', () => {
      time.ms += 3;
      throw new Error('no address left');
    }),
  );
  await t.rejects(failing, { message: 'no address left' });
  t.match(timelines.failures(), [{ error: 'no address left', phases: [{ what: 'network', ms: 3 }] }]);
  t.same(timelines.of(''), [], 'of no pod');
});

t.test('what is kept is bounded, and goes with the pod', async (t) => {
  const { timelines } = clocked();
  for (let number = 0; number < 200; number++) {
    const one = timelines.pass(subject({ container: `c${number}` }), () => Promise.reject(new Error('x'.repeat(5000))));
    await t.rejects(one);
  }
  t.equal(timelines.of('p1').length, 40);
  t.equal(timelines.failures().length, 50);
  t.equal(timelines.failures()[0]?.error?.length, 1000);
  t.match(timelines.ofContainer('p1', 'c199'), [{ container: 'c199' }], 'the newest are kept');
  timelines.forget('p1');
  t.same(timelines.of('p1'), []);
});
