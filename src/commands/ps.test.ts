import t from 'tap';
import type { NodeLists } from './node-lists.js';
import { rowsOf } from './ps.js';

const node = {
  pods: [
    { id: 'p2', metadata: { name: 'web', namespace: 'b' }, state: 'SANDBOX_READY', createdAt: '1' },
    { id: 'p1', metadata: { name: 'web', namespace: 'a' }, state: 'SANDBOX_READY', createdAt: '1' },
    { id: 'p3', metadata: { name: 'gone', namespace: 'a' }, state: 'SANDBOX_NOTREADY', createdAt: '1' },
  ],
  containers: [
    {
      id: 'c2',
      podSandboxId: 'p1',
      metadata: { name: 'app', attempt: 1 },
      state: 'CONTAINER_RUNNING',
      createdAt: '2',
      image: { image: 'app:1' },
    },
    {
      id: 'c1',
      podSandboxId: 'p1',
      metadata: { name: 'app', attempt: 0 },
      state: 'CONTAINER_EXITED',
      createdAt: '1',
      image: { image: 'app:1' },
    },
  ],
} as unknown as NodeLists;

t.test('what runs, by namespace and name; a pod without containers has a line', async (t) => {
  t.match(rowsOf(node, false), [
    { namespace: 'a', pod: 'web', container: 'app', id: 'c2', state: 'running', restarts: 1, image: 'app:1' },
    { namespace: 'b', pod: 'web', container: '', id: 'p2', state: 'ready' },
  ]);
  t.same(
    rowsOf(node, true).map(({ id }) => id),
    ['p3', 'c2', 'c1', 'p2'],
  );
});
