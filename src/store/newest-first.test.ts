import t from 'tap';
import { newestFirst } from './newest-first.js';

t.test('the latest comes first, as numbers, and what is given stays as it is', (t) => {
  const given = ['9', '1764560000000000002', '10', '1764560000000000001'].map((createdAt) => ({ createdAt }));
  t.same(
    newestFirst(given).map(({ createdAt }) => createdAt),
    ['1764560000000000002', '1764560000000000001', '10', '9'],
  );
  t.equal(given[0]?.createdAt, '9');
  t.end();
});
