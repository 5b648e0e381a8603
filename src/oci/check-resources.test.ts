import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import t from 'tap';
import { RuntimeError } from '../base/errors.js';
import { checkResources, type LimitsHost } from './check-resources.js';
import { linuxResources } from './resources.js';
import type { OciLimits } from './spec.js';
import { resources } from './spec-input.fixture.js';

const V2: LimitsHost = { cgroup: 'v2', cgroupControllers: ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'] };
const V1: LimitsHost = { cgroup: 'v1', cgroupControllers: [] };
const check = (limits: OciLimits, host = V2) => checkResources(limits, host);

t.test('CVE-2018-20699: ranges are passed on, never expanded; odd ones are refused at once', async (t) => {
  const lists = [
    '0-4294967295',
    '0-0,'.repeat(100_000),
    `${'0,'.repeat(4000)}0`,
    ...['0-', ',', 'a', '0 1', '0\n', '-1', '0-1-2', '0--1'],
  ];
  for (const cpus of lists)
    t.throws(() => check({ cpu: { cpus } }), { code: 3, message: /^not a list.*cpuset_cpus/ }, cpus.slice(0, 32));
  t.throws(() => check({ cpu: { mems: '0-4294967295' } }), { code: 3, message: /cpuset_mems/ });
  t.doesNotThrow(() => check({ cpu: { cpus: '0-3,7', mems: '0' } }));
});

t.test('what no kernel takes', async (t) => {
  const table: Array<[OciLimits, RegExp]> = [
    [{ cpu: { period: 999 } }, /cpu_period.*999/],
    [{ cpu: { period: 1_000_001 } }, /cpu_period/],
    [{ cpu: { period: -1 } }, /cpu_period/],
    [{ cpu: { quota: 999 } }, /cpu_quota/],
    [{ cpu: { quota: -2 } }, /cpu_quota/],
    [{ memory: { limit: -5 } }, /memory_limit_in_bytes/],
    [{ memory: { swap: -(2 ** 63) } }, /memory_swap_limit_in_bytes/],
    [{ cpu: { shares: -1 } }, /cpu_shares/],
    [{ cpu: { shares: Number.NaN } }, /not a whole number.*cpu_shares/],
    [{ cpu: { shares: 2.5 } }, /not a whole number/],
    [{ cpu: { quota: Number.POSITIVE_INFINITY } }, /not a whole number/],
    [{ cpu: { idle: 2 } }, /cpu idle/],
    [{ cpu: { realtimeRuntime: 1 } }, /cgroup v2 host/],
    [{ memory: { limit: 2 ** 53 } }, /memory_limit_in_bytes/],
    [{ memory: { swap: 1 } }, /swap limit without a memory limit/],
    [{ memory: { limit: 2, swap: 1 } }, /swap limit below the memory limit/],
    [{ memory: { limit: -1, swap: 1 } }, /swap limit below/],
    [{ memory: { swappiness: 101 } }, /swappiness/],
    [{ pids: { limit: 4_194_305 } }, /pids limit/],
    [{ pids: { limit: -2 } }, /pids limit/],
    [{ blockIO: { weight: 9 } }, /block I\/O weight/],
    [{ blockIO: { weightDevice: [{ major: 8, minor: 0, weight: 1001 }] } }, /weight of 8:0/],
    [{ blockIO: { throttleReadBpsDevice: [{ major: -8, minor: 0, rate: 1 }] } }, /major number/],
    [{ blockIO: { throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: -2 }] } }, /throttleWriteIOPSDevice 8:0/],
    [{ hugepageLimits: [{ pageSize: '2MiB', limit: '1' }] }, /not a huge page size/],
    [{ hugepageLimits: [{ pageSize: '../2MB', limit: '1' }] }, /not a huge page size/],
    [{ hugepageLimits: [{ pageSize: '2MB', limit: '-1' }] }, /not an unsigned 64-bit number/],
    [{ hugepageLimits: [{ pageSize: '2MB', limit: '18446744073709551616' }] }, /not an unsigned 64-bit number/],
  ];
  for (const [limits, message] of table) t.throws(() => check(limits), { code: 3, message }, JSON.stringify(limits));
  t.doesNotThrow(() => check({ cpu: { realtimeRuntime: 1 } }, V1));
  t.doesNotThrow(() => check({ cpu: { quota: -1 }, memory: { limit: -1, swap: -1 }, pids: { limit: -1 } }));
});

t.test('unified: limits only, and only those of controllers that v2 has here', async (t) => {
  const cases: Array<[string, string, RegExp]> = [
    ['cgroup.procs', '1', /not a limit of a cgroup/],
    ['cgroup.kill', '1', /not a limit of a cgroup/],
    ['../memory.max', '1', /not a limit of a cgroup/],
    ['memory/../x.y', '1', /not a limit of a cgroup/],
    ['memory..max', '1', /not a limit of a cgroup/],
    ['memory', '1', /not a limit of a cgroup/],
    ['memory.high\n', '1', /not a limit of a cgroup/],
    ['memory.high', '1\n2', /unexpected characters/],
    ['memory.high', '', /unexpected characters/],
    ['misc.max', '1', /controller "misc" is not available/],
    ['pids.max', '0', /not a number of processes/],
    ['pids.max', '-1', /not a number of processes/],
    ['pids.max', 'many', /not a number of processes/],
  ];
  for (const [key, value, message] of cases)
    t.throws(() => check({ unified: { [key]: value } }), { code: 3, message }, JSON.stringify(key));
  t.doesNotThrow(() => check({ unified: { 'hugetlb.2MB.max': '1', 'io.weight': 'default 100' } }));
  const hybrid: LimitsHost = { cgroup: 'hybrid', cgroupControllers: ['hugetlb'] };
  for (const host of [V1, hybrid])
    t.throws(() => check({ unified: { 'memory.high': '1' } }, host), {
      code: 3,
      message: /cgroup v1 host: unified key "memory.high"/,
    });
  t.doesNotThrow(() => check({ unified: { 'hugetlb.1GB.max': '0' } }, hybrid));
});

const EDGES = ['0', '1', '-1', '999', '1000', '2147483647', '2147483648', '9007199254740991', '9007199254740993'];
const HUGE = ['9223372036854771712', '9223372036854775807', '-9223372036854775808'];
const int64 = fc.oneof(
  fc.constantFrom(...EDGES, ...HUGE),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
);
const uint64 = fc.oneof(
  fc.constantFrom('0', '18446744073709551615', ...EDGES.filter((text) => !text.startsWith('-'))),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
);

t.test('any numbers of the CRI are taken or refused as the mistake that they are', async (t) => {
  const request = fc.record({
    cpuPeriod: int64,
    cpuQuota: int64,
    cpuShares: int64,
    memoryLimitInBytes: int64,
    memorySwapLimitInBytes: int64,
    hugepageLimits: uint64.map((limit) => [{ pageSize: '2MB', limit }]),
  });
  const judged = fc.property(request, (numbers) => {
    const limits = linuxResources(resources(numbers));
    try {
      check(limits);
    } catch (error) {
      return error instanceof RuntimeError && error.code === status.INVALID_ARGUMENT;
    }
    const { cpu = {}, memory = {} } = limits;
    return [cpu.quota, cpu.shares, cpu.period, memory.limit, memory.swap].every(
      (value) => value === undefined || (Number.isSafeInteger(value) && value >= -1),
    );
  });
  t.doesNotThrow(() => fc.assert(judged, { numRuns: 2000 }));
});
