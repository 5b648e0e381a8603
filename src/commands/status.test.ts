import t from 'tap';
import type { NodeLists } from './node-lists.js';
import { counts } from './status.js';

t.test('how many there are in which state', async (t) => {
  const states = (...all: string[]) => all.map((state) => ({ state }));
  const lists = {
    pods: states('SANDBOX_READY', 'SANDBOX_NOTREADY', 'SANDBOX_READY'),
    containers: states('CONTAINER_EXITED'),
  } as unknown as NodeLists;
  t.same(counts(lists), { pods: { ready: 2, notready: 1 }, containers: { exited: 1 } });
});
