import t from 'tap';
import { waterfall } from './waterfall.js';

const passage = { what: 'RunPodSandbox', sandbox: 'p', container: '', name: 'web', begunAt: 0, ms: 32, phases: [] };

t.test('parts are bars where they were and as long as they took', async (t) => {
  const phases = [
    { what: 'supervisor', at: 0, ms: 8 },
    { what: 'network', at: 8, ms: 24 },
    { what: 'plugins', at: 32, ms: 0 },
  ];
  t.same(waterfall([{ ...passage, phases }]).split('\n'), [
    '1970-01-01T00:00:00.000Z  RunPodSandbox web  32.0 ms',
    `  supervisor   ${'█'.repeat(8)}${' '.repeat(24)}  8.0 ms`,
    `  network      ${' '.repeat(8)}${'█'.repeat(24)}  24.0 ms`,
    `  plugins      ${' '.repeat(31)}█  0.0 ms`,
    '',
  ]);
});

t.test('a failed one says why, in its line', async (t) => {
  t.match(
    waterfall([{ ...passage, ms: 12_000, error: 'no address\nat all' }]),
    /web {2}12\.0 s {2}failed: no address\n$/,
  );
  t.equal(waterfall([]), '');
});
