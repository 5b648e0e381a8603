import t from 'tap';
import type { LinuxContainerResources__Output } from '../gen/runtime/v1/LinuxContainerResources.js';
import { linuxResources, oomScoreAdj } from './resources.js';
import { resources } from './spec-input.fixture.js';

const of = (over: Partial<LinuxContainerResources__Output>, pidsLimit = 0) =>
  linuxResources(resources(over), pidsLimit);

t.test('0 and "" mean not specified', async (t) => {
  t.same(of({}), {});
  t.same(linuxResources(null), {});
});

t.test('limits', async (t) => {
  t.same(of({ cpuShares: '256', cpuQuota: '-1', cpuPeriod: '100000', cpusetCpus: '0-3,7', cpusetMems: '0' }).cpu, {
    shares: 256,
    quota: -1,
    period: 100000,
    cpus: '0-3,7',
    mems: '0',
  });
  t.same(of({ cpuShares: '1' }).cpu, { shares: 2 });
  t.same(
    of({ memoryLimitInBytes: '104857600' }).memory,
    { limit: 104857600, swap: 104857600 },
    'no swap unless asked for',
  );
  t.same(of({ memoryLimitInBytes: '100', memorySwapLimitInBytes: '200' }).memory, { limit: 100, swap: 200 });
  t.same(of({ memoryLimitInBytes: '100', memorySwapLimitInBytes: '-1' }).memory, { limit: 100, swap: -1 });
  t.same(of({ hugepageLimits: [{ pageSize: '2MB', limit: '18446744073709551615' }] }).hugepageLimits, [
    { pageSize: '2MB', limit: '18446744073709551615' },
  ]);
});

t.test('pids come from unified, else from the daemon', async (t) => {
  t.same(of({}, 100), { pids: { limit: 100 } });
  t.same(linuxResources(undefined, 100), { pids: { limit: 100 } });
  t.same(of({ unified: { 'pids.max': '7', 'memory.high': '1000' } }, 100), {
    pids: { limit: 7 },
    unified: { 'memory.high': '1000' },
  });
  t.same(of({ unified: { 'pids.max': 'max' } }, 100), { pids: { limit: -1 } });
});

t.test('every number of 64 bits is taken, and beyond all machines is unlimited', async (t) => {
  const unlimited = ['9223372036854771712', '9223372036854775807', '9007199254740992', '-1'];
  for (const value of unlimited) {
    t.same(of({ memoryLimitInBytes: value }), { memory: { limit: -1 } }, value);
    t.same(of({ memorySwapLimitInBytes: value }), { memory: { swap: -1 } }, value);
    t.same(of({ cpuQuota: value }), { cpu: { quota: -1 } }, value);
  }
  t.same(of({ memoryLimitInBytes: '9007199254740991' }).memory?.limit, 9_007_199_254_740_991);
  t.same(of({ cpuShares: '9223372036854775807' }), { cpu: { shares: 262_144 } });
  t.same(of({ hugepageLimits: [{ pageSize: '2MB', limit: '9223372036854771712' }] }).hugepageLimits, [
    { pageSize: '2MB', limit: '9223372036854771712' },
  ]);
});

t.test('oom_score_adj', async (t) => {
  t.equal(oomScoreAdj(null), 0);
  t.equal(oomScoreAdj(resources({ oomScoreAdj: '-997' })), -997);
});
