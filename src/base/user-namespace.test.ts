import t from 'tap';
import { isHostRoot } from './host-root.js';
import { mappedIds } from './user-namespace.js';

t.test('how many IDs a user namespace has', async (t) => {
  t.equal(mappedIds('         0          0 4294967295\n'), undefined, "the host's");
  t.equal(mappedIds('         0       4242          1\n         1     300000      65536\n'), 65_537);
  t.equal(mappedIds('         1     300000      10\n         0       4242          1\n        11   500000  5\n'), 16);
  t.equal(mappedIds('         0       4242          1\n'), 1, 'a single one');
  t.equal(mappedIds('         0       4242          1\n         100     300000      10\n'), 1, 'up to the first gap');
});

t.test('root of the host, who is nobody in a user namespace', async (t) => {
  t.equal(isHostRoot(0, undefined), true);
  t.equal(isHostRoot(65_534, undefined), false);
  t.equal(isHostRoot(65_534, 65_537), true);
  t.equal(isHostRoot(1000, 65_537), false);
});
