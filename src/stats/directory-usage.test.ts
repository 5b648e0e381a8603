import { pino } from 'pino';
import t from 'tap';
import { type CountTrees, DirectoryUsage } from './directory-usage.js';

const log = pino({ level: 'silent' });

/** Says how often it was asked about what; each count finds an inode more. */
const counter = (ms = 1) => {
  const asked: string[][] = [];
  const count: CountTrees = async (directories) => {
    asked.push([...directories]);
    return directories.map((directory) =>
      directory === 'missing' ? undefined : { bytes: 4096, inodes: asked.length, ms, complete: true },
    );
  };
  return { asked, count };
};

t.test('trees are counted behind the question, all that are asked about at once', async (t) => {
  const { asked, count } = counter();
  const usage = new DirectoryUsage(count, log, () => 1_000_000);
  for (const name of ['a', 'b', 'missing']) t.equal(usage.get(name), undefined, 'not known yet');
  await usage.idle();
  t.strictSame(usage.get('a'), { bytes: 4096, inodes: 1, countedAt: 1_000_000 });
  t.equal(usage.get('b')?.inodes, 1);
  t.equal(usage.get('missing'), undefined);
  await usage.idle();
  t.strictSame(asked, [['a', 'b', 'missing']]);
});

t.test('they are counted again when the count is old, not before; what takes long less often', async (t) => {
  for (const [ms, again] of [
    [1, 10_000],
    [900, 18_000],
  ] as const) {
    const { count } = counter(ms);
    let now = 1_000_000;
    const usage = new DirectoryUsage(count, log, () => now);
    const inodes = async () => {
      usage.get('a');
      await usage.idle();
      return usage.get('a')?.inodes;
    };
    t.equal(await inodes(), 1);
    now += again - 1;
    t.equal(await inodes(), 1);
    now += 1;
    t.equal(await inodes(), 2);
  }
});

t.test('what nobody asks about any more is forgotten', async (t) => {
  const { asked, count } = counter();
  let now = 1_000_000;
  const usage = new DirectoryUsage(count, log, () => now);
  usage.get('a');
  await usage.idle();
  now += 11 * 60_000;
  usage.get('b');
  await usage.idle();
  t.strictSame(asked, [['a'], ['b']]);
});

t.test('a count that fails leaves the last one, and is tried again in its time', async (t) => {
  let now = 1_000_000;
  const results = [
    [{ bytes: 1, inodes: 1, ms: 1, complete: true }],
    undefined,
    [{ bytes: 2, inodes: 2, ms: 1, complete: true }],
  ];
  const count: CountTrees = async () => results.shift() ?? Promise.reject(new Error('no memory'));
  const usage = new DirectoryUsage(count, log, () => now);
  const seen = [];
  for (let round = 0; round < 3; round++) {
    usage.get('a');
    await usage.idle();
    seen.push(usage.get('a')?.bytes);
    now += 10_000;
  }
  t.strictSame(seen, [1, 1, 2]);
});

t.test('closing ends a count', async (t) => {
  const count: CountTrees = (_, __, signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  const usage = new DirectoryUsage(count, log);
  usage.get('a');
  await usage.close();
  t.equal(usage.get('a'), undefined);
  await usage.idle();
});

t.test('one that never ends holds up nobody, and is counted beside the others, as far as it goes', async (t) => {
  let now = 1_000_000;
  const asked: Array<[string[], number]> = [];
  let end = () => undefined as void;
  const counted = (inodes: number, ms = 1, complete = true) => ({ bytes: inodes, inodes, ms, complete });
  const count: CountTrees = async (directories, limitMs) => {
    asked.push([[...directories], limitMs]);
    if (limitMs <= 1_000) return directories.map((name) => (name === 'huge' ? counted(1, limitMs, false) : counted(7)));
    await new Promise<void>((resolve) => (end = resolve));
    return directories.map(() => counted(9, limitMs, false));
  };
  const usage = new DirectoryUsage(count, log, () => now);
  usage.get('huge');
  usage.get('small');
  while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(asked, [
    [['huge', 'small'], 1_000],
    [['huge'], 300_000],
  ]);
  t.equal(usage.get('huge')?.inodes, 1, 'at least');
  for (let round = 1; round <= 3; round++) {
    now += 10_000;
    usage.get('huge');
    t.equal(usage.get('small')?.countedAt, now - 10_000);
    while (asked.length < 2 + round) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    t.strictSame(asked.at(-1), [['small'], 1_000]);
    t.equal(usage.get('small')?.countedAt, now, 'counted while the other one is');
  }
  end();
  await usage.idle();
  t.strictSame(usage.get('huge'), { bytes: 9, inodes: 9, countedAt: now });
  now += 300_000 * 20 - 1;
  usage.get('huge');
  await usage.idle();
  t.equal(asked.length, 5, 'and rests in proportion');
});
