import t from 'tap';
import { inSlices } from './in-slices.js';

t.test('a long list is read in slices', async (t) => {
  let turns = 0;
  const turn = () => {
    turns += 1;
    handle = setImmediate(turn);
  };
  let handle = setImmediate(turn);
  const busy = (index: number) => {
    for (const end = performance.now() + 1; performance.now() < end; );
    return index * 2;
  };
  const results = await inSlices(
    Array.from({ length: 50 }, (_, index) => index),
    busy,
  );
  clearImmediate(handle);
  t.same(
    results,
    Array.from({ length: 50 }, (_, index) => index * 2),
  );
  t.ok(turns > 3, `others had ${turns} turns`);
});
