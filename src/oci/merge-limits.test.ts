import t from 'tap';
import { mergeLimits } from './merge-limits.js';
import type { OciLimits } from './spec.js';

const memory = (limit: number, swap: number): OciLimits => ({ memory: { limit, swap } });

t.test('when memory alone changes, the allowance of swap stays', async (t) => {
  const change = { memory: { limit: 300 } };
  t.same(mergeLimits(memory(100, 150), change).memory, { limit: 300, swap: 350 });
  t.same(mergeLimits(memory(100, -1), change).memory, { limit: 300, swap: -1 });
  t.same(mergeLimits({ memory: { limit: 100 } }, change).memory, { limit: 300 });
  t.same(mergeLimits(memory(100, 150), { memory: { limit: -1 } }).memory, { limit: -1, swap: -1 });
});

t.test('what is 0, empty or absent is left as it is', async (t) => {
  const old: OciLimits = { cpu: { shares: 512, cpus: '0' }, memory: { limit: 100, swap: 100 }, pids: { limit: 10 } };
  const nothing = {
    cpu: { shares: 0, quota: 0, cpus: '' },
    memory: { limit: 0, swap: 0 },
    unified: {},
    hugepageLimits: [],
  };
  for (const change of [{}, nothing]) t.same(mergeLimits(old, change), old);
});

t.test('merged values', async (t) => {
  const old: OciLimits = {
    hugepageLimits: [
      { pageSize: '2MB', limit: '1' },
      { pageSize: '1GB', limit: '2' },
    ],
    unified: { 'memory.low': '1' },
  };
  const merged = mergeLimits(old, {
    hugepageLimits: [{ pageSize: '2MB', limit: '0' }],
    unified: { 'pids.max': '9' },
  });
  t.same(merged.hugepageLimits, [
    { pageSize: '1GB', limit: '2' },
    { pageSize: '2MB', limit: '0' },
  ]);
  t.same(merged.unified, { 'memory.low': '1', 'pids.max': '9' });
});
