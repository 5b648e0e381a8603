import t from 'tap';
import type { CgroupLayout } from './layout.js';
import { v1Layout, v2Layout } from './layouts.fixture.js';
import { mergeLimits } from '../oci/merge-limits.js';
import type { OciLimits } from '../oci/spec.js';
import { refuseBelowUsage, updateOps } from './update.js';

const update = (layout: CgroupLayout, old: OciLimits, change: OciLimits): string[] =>
  updateOps(layout, '/p', { old, change, merged: mergeLimits(old, change) }).map(
    ({ path, value }) => `${path.split('/').at(-1)}=${value}`,
  );
const memory = (limit: number, swap: number): OciLimits => ({ memory: { limit, swap } });

t.test('v1: memory never passes memory+swap on the way', async (t) => {
  const [limit, both] = ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'];
  t.same(update(v1Layout('/cg'), memory(100, 100), memory(200, 200)), [`${both}=200`, `${limit}=200`], 'raised');
  t.same(update(v1Layout('/cg'), memory(200, 200), memory(100, 100)), [`${limit}=100`, `${both}=100`], 'lowered');
  t.same(update(v1Layout('/cg'), {}, memory(100, 100)), [`${limit}=100`, `${both}=100`], 'there was none');
  t.same(update(v1Layout('/cg'), memory(100, 100), memory(-1, -1)), [`${both}=-1`, `${limit}=-1`], 'lifted');
});

t.test('when memory alone changes, the allowance of swap stays', async (t) => {
  const change = { memory: { limit: 300 } };
  t.same(mergeLimits(memory(100, 150), change).memory, { limit: 300, swap: 350 });
  t.same(update(v1Layout('/cg'), memory(100, 150), change), [
    'memory.memsw.limit_in_bytes=350',
    'memory.limit_in_bytes=300',
  ]);
  t.same(update(v2Layout('/cg'), memory(100, 150), change), ['memory.max=300', 'memory.swap.max=50']);
  t.same(mergeLimits(memory(100, -1), change).memory, { limit: 300, swap: -1 });
  t.same(mergeLimits({ memory: { limit: 100 } }, change).memory, { limit: 300 });
  t.same(mergeLimits(memory(100, 150), { memory: { limit: -1 } }).memory, { limit: -1, swap: -1 });
});

t.test('a quota is written when it is valid together with its period', async (t) => {
  const old = { cpu: { quota: 50_000, period: 100_000 } };
  t.same(update(v1Layout('/cg'), old, { cpu: { quota: 100_000, period: 200_000 } }), [
    'cpu.cfs_period_us=200000',
    'cpu.cfs_quota_us=100000',
  ]);
  t.same(update(v1Layout('/cg'), old, { cpu: { quota: 5000, period: 10_000 } }), [
    'cpu.cfs_quota_us=5000',
    'cpu.cfs_period_us=10000',
  ]);
  t.same(update(v2Layout('/cg'), old, { cpu: { quota: 20_000 } }), ['cpu.max=20000 100000'], 'the period stays');
  t.same(update(v2Layout('/cg'), old, { cpu: { period: 50_000 } }), ['cpu.max=50000 50000'], 'the quota stays');
});

t.test('what is 0 or absent is left as it is', async (t) => {
  const old: OciLimits = { cpu: { shares: 512, cpus: '0' }, memory: { limit: 100, swap: 100 }, pids: { limit: 10 } };
  for (const change of [
    {},
    { cpu: { shares: 0, quota: 0, cpus: '' }, memory: { limit: 0, swap: 0 }, unified: {}, hugepageLimits: [] },
  ]) {
    t.same(update(v1Layout('/cg'), old, change), []);
    t.match(mergeLimits(old, change), old);
  }
  t.same(update(v1Layout('/cg'), old, { cpu: { shares: 1024 } }), ['cpu.shares=1024']);
});

t.test('a limit below what is in use is refused', async (t) => {
  t.throws(() => refuseBelowUsage(2000, { memory: { limit: 1999 } }), { code: 9, message: /2000 bytes are in use/ });
  t.doesNotThrow(() => refuseBelowUsage(2000, { memory: { limit: 2000 } }));
  t.doesNotThrow(() => refuseBelowUsage(2000, { memory: { limit: -1 } }));
  t.doesNotThrow(() => refuseBelowUsage(2000, {}));
});
