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

t.test('CVE-2018-20699: ranges are passed on, never expanded; odd ones are refused at once', async (t) => {
  const lists = [
    '0-4294967295',
    '0-0,'.repeat(100_000),
    `${'0,'.repeat(4000)}0`,
    '0-',
    ',',
    'a',
    '0 1',
    '0\n',
    '-1',
    '0-1-2',
    '0--1',
  ];
  for (const cpusetCpus of lists)
    t.throws(() => of({ cpusetCpus }), { code: 3, message: /^not a list/ }, cpusetCpus.slice(0, 32));
  t.throws(() => of({ cpusetMems: '0-4294967295' }), { code: 3 });
});

t.test('bad numbers are refused', async (t) => {
  const table: Array<Partial<LinuxContainerResources__Output>> = [
    { cpuPeriod: '999' },
    { cpuPeriod: '1000001' },
    { cpuPeriod: '-1' },
    { cpuQuota: '999' },
    { cpuQuota: '-2' },
    { cpuShares: '-1' },
    { cpuShares: '262145' },
    { cpuShares: '1e3' },
    { memoryLimitInBytes: '-2' },
    { memoryLimitInBytes: 'x' },
    { memoryLimitInBytes: '200', memorySwapLimitInBytes: '100' },
    { hugepageLimits: [{ pageSize: '2MiB', limit: '1' }] },
    { hugepageLimits: [{ pageSize: '../x', limit: '1' }] },
    { hugepageLimits: [{ pageSize: '2MB', limit: '-1' }] },
    { hugepageLimits: [{ pageSize: '2MB', limit: '18446744073709551616' }] },
    { unified: { 'pids.max': '0' } },
    { unified: { 'pids.max': '-1' } },
    { unified: { 'memory/max': '1' } },
    { unified: { '../memory.max': '1' } },
    { unified: { 'memory..max': '1' } },
    { unified: { memory: '1' } },
    { unified: { 'memory.max\n': '1' } },
    { unified: { 'memory.max': '1\n2' } },
    { unified: { 'memory.max': '' } },
    { unified: { 'cgroup.procs': '1' } },
    { unified: { 'cgroup.kill': '1' } },
  ];
  for (const over of table) t.throws(() => of(over), { code: 3 }, JSON.stringify(over));
  t.same(of({ unified: { 'hugetlb.2MB.max': '1', 'io.weight': 'default 100' } }).unified, {
    'hugetlb.2MB.max': '1',
    'io.weight': 'default 100',
  });
});

t.test('oom_score_adj', async (t) => {
  t.equal(oomScoreAdj(null), 0);
  t.equal(oomScoreAdj(resources({ oomScoreAdj: '-997' })), -997);
  for (const value of ['1001', '-1001', '', 'x'])
    t.throws(() => oomScoreAdj(resources({ oomScoreAdj: value })), { code: 3 }, value);
});
