import t from 'tap';
import { age, bytes } from './amounts.js';

t.test('sizes and ages in the unit that says most', async (t) => {
  t.same([0, 999, 1000, 1_234_567, 5e13].map(bytes), ['0 B', '999 B', '1 kB', '1.23 MB', '50 TB']);
  const at = (seconds: number) => age(`${1000 * 1e9}`, (1000 + seconds) * 1000);
  t.same([-5, 0, 119, 120, 7200, 172_800].map(at), ['0s', '0s', '119s', '2m', '2h', '2d']);
});
