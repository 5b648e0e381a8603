import t from 'tap';
import { Results, type Row, ratioOf } from './results.js';
import { comparisons, markdownTable, plainTable } from './table.js';

const METRIC = { name: 'StartContainer', unit: 'ms', better: 'less' } as const;

const rowsOf = (fill: (results: Results) => void): Row[] => {
  const results = new Results();
  fill(results);
  return results.rows();
};

t.test('one disturbed round does not move the median of the rounds', async (t) => {
  const rounds = [
    [1, 2, 3],
    [2, 2, 2],
    [900, 900, 900],
  ];
  const [row] = rowsOf((results) => {
    rounds.forEach((values, round) => values.forEach((value) => results.add(METRIC, 'ours', round, value, value / 2)));
  });
  t.equal(row?.values.get('ours')?.p50, 2);
  t.equal(row?.values.get('ours')?.cpuMs, 1);
  t.equal(row?.values.get('ours')?.p99, undefined, 'nine samples have no 99th percentile');
});

t.test('p99 is of all samples together', async (t) => {
  const [row] = rowsOf((results) => {
    for (let i = 0; i <= 100; i++) results.add(METRIC, 'ours', i % 2, i);
  });
  t.equal(row?.values.get('ours')?.p99, 99);
  t.equal(row?.values.get('ours')?.cpuMs, undefined, 'CPU time was not measured');
});

t.test('the ratio says how many times better ours is, whichever way is better', async (t) => {
  const rows = rowsOf((results) => {
    for (const [name, value] of [
      ['ours', 2],
      ['peer', 20],
    ] as const) {
      results.add(METRIC, name, 1, value);
      results.add({ name: 'Log', unit: 'MB/s', better: 'more' }, name, 1, value);
    }
  });
  t.same(
    rows.map((row) => ratioOf(row, 'ours', 'peer')),
    [10, 0.1],
  );
  t.same(comparisons(rows, 'ours', ['peer']), [
    { metric: 'StartContainer', ours: 2, peer: 20, peerName: 'peer', ratio: 10, unit: 'ms' },
    { metric: 'Log', ours: 2, peer: 20, peerName: 'peer', ratio: 0.1, unit: 'MB/s' },
  ]);
});

t.test('a metric that one side lacks is shown without a ratio and not compared', async (t) => {
  const rows = rowsOf((results) => results.add(METRIC, 'peer', 1, 20, 5));
  t.same(comparisons(rows, 'ours', ['peer']), []);
  t.match(markdownTable(rows, 'ours', ['peer']), /\| StartContainer, ms \|  \|  \|  \| 20 \|  \| 5 \|  \|$/);
  const lines = plainTable(rows, 'ours', ['peer']).split('\n');
  t.equal(new Set(lines.slice(1).map(({ length }) => length)).size, 1, 'columns are aligned');
});
