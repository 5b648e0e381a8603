import t from 'tap';
import type { ContainerStatsFilter__Output } from '../gen/runtime/v1/ContainerStatsFilter.js';
import type { MeasuredContainer } from '../stats/container-stats.js';
import type { Container } from '../store/container.js';
import { Journal } from '../store/journal.js';
import { ContainerStore } from '../store/container-store.js';
import { ObjectStore } from '../store/object-store.js';
import type { Sandbox } from '../store/sandbox.js';
import { containerStats } from './container-stats.js';
import { listContainerStats } from './container-stats-list.js';

const id = (start: string) => start.padEnd(64, '0');

const setup = (test: Pick<typeof t, 'testdir' | 'teardown'>) => {
  const journal = Journal.open(`${test.testdir({})}/journal`);
  test.teardown(() => journal.close());
  const sandboxes = new ObjectStore<Sandbox>('sandbox', journal);
  const containers = new ContainerStore(journal);
  const put = (start: string, sandbox: string, app: string, change: Partial<Container> = {}) =>
    containers.put({
      id: id(start),
      sandboxId: id(sandbox),
      stage: 'live',
      startedAt: '1',
      finishedAt: '0',
      config: {
        labels: { app },
        annotations: {},
        metadata: { name: start, attempt: 0 },
      } as unknown as Container['config'],
      ...change,
    } as Container);
  for (const start of ['f1', 'f2']) sandboxes.put({ id: id(start) } as Sandbox);
  put('a1', 'f1', 'web');
  put('a2', 'f1', 'db', { startedAt: '0' });
  put('b1', 'f2', 'web');
  put('c1', 'f2', 'web', { finishedAt: '2' });
  put('d1', 'f2', 'web', { stage: 'creating' });
  put('e1', 'f2', 'web', { stage: 'removing' });
  const read = (container: MeasuredContainer) => ({ attributes: { id: container.id } });
  return {
    containers,
    sandboxes,
    containerStats: { read },
  };
};

t.test('one container', async (t) => {
  const runtime = setup(t);
  t.same(await containerStats(runtime, { containerId: id('a1') }), { stats: { attributes: { id: id('a1') } } });
  t.same(
    await containerStats(runtime, { containerId: 'a2' }),
    { stats: { attributes: { id: id('a2') } } },
    'by prefix',
  );
  t.same(
    await containerStats(runtime, { containerId: 'c1' }),
    { stats: { attributes: { id: id('c1') } } },
    'exited, but it exists',
  );
  for (const containerId of ['99', id('99'), 'd1', 'e1', '../x'])
    await t.rejects(containerStats(runtime, { containerId }), { code: 5 }, containerId);
  for (const containerId of ['a', ''])
    await t.rejects(containerStats(runtime, { containerId }), { code: 3 }, `"${containerId}"`);
});

t.test('a list of those that run or will', async (t) => {
  const runtime = setup(t);
  const list = async (filter: Partial<ContainerStatsFilter__Output> | null) => {
    const whole = filter && { id: '', podSandboxId: '', labelSelector: {}, ...filter };
    const { stats = [] } = await listContainerStats(runtime, { filter: whole });
    return stats.map(({ attributes }) => attributes?.id?.slice(0, 2));
  };
  t.same(await list(null), ['a1', 'a2', 'b1']);
  t.same(await list({}), ['a1', 'a2', 'b1']);
  t.same(await list({ id: id('a1') }), ['a1']);
  t.same(await list({ id: 'b' }), ['b1']);
  t.same(await list({ id: '99' }), []);
  t.same(await list({ podSandboxId: 'f1' }), ['a1', 'a2']);
  t.same(await list({ podSandboxId: id('77') }), []);
  t.same(await list({ labelSelector: { app: 'web' } }), ['a1', 'b1']);
  t.same(await list({ labelSelector: { app: 'web', tier: 'x' } }), []);
  t.same(await list({ podSandboxId: id('f2'), labelSelector: { app: 'db' } }), [], 'all parts must match');
});
