import t from 'tap';
import { parseDuration } from './duration.js';

t.test('times as Go writes them', (t) => {
  for (const [text, ms] of [
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['500ms', 500],
    ['.5s', 500],
    ['250us', 0.25],
    ['0s', 0],
    ['', undefined],
    ['10', undefined],
    ['-1s', undefined],
    ['10 s', undefined],
    ['s', undefined],
    ['1s2', undefined],
  ] as const)
    t.equal(parseDuration(text), ms, text);
  t.end();
});
