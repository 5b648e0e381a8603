import t from 'tap';
import { hybridLayout, v1Layout, v2Layout } from './layouts.fixture.js';
import type { CgroupLayout } from './layout.js';
import type { Resources } from './limits.js';
import { cgroupOps, missingControllers } from './resources.js';
import { cpuWeight } from './v2.js';

const PATH = '/jangada/s/c';
/** `<file>=<value>`, with `?` after optional ones. */
const writes = (layout: CgroupLayout, resources: Resources): string[] =>
  cgroupOps(layout, PATH, resources).flatMap((op) =>
    op.op === 'cgroup-write' ? [`${op.path.replace('/cg/', '')}=${op.value}${op.optional ? '?' : ''}`] : [],
  );
const MIB = 1 << 20;

t.test('the directories of a container', async (t) => {
  const ops = cgroupOps(hybridLayout('/cg'), PATH, {}).filter(({ op }) => op === 'cgroup-dir');
  t.match(ops[2], { path: '/cg/cpuset/jangada/s/c', version: 'v1-cpuset', role: 'leaf' });
  t.match(ops.at(-1), { path: '/cg/unified/jangada/s/c', version: 'v2', role: 'leaf' });
  t.equal(ops.length, 9, 'systemd and v2 too');
  const shared: CgroupLayout = { mode: 'v1', v1: { cpu: '/cg/both', cpuacct: '/cg/both' } };
  t.equal(cgroupOps(shared, PATH, {}).length, 1, 'one mount, one directory');
});

t.test('v1 limits, in the order in which the kernel takes them', async (t) => {
  const resources: Resources = {
    cpu: { shares: 256, quota: 50_000, period: 100_000, cpus: '0-1', mems: '0' },
    memory: { limit: 100 * MIB, swap: 200 * MIB },
    pids: { limit: 100 },
    hugepageLimits: [
      { pageSize: '2MB', limit: '4194304' },
      { pageSize: '1GB', limit: '0' },
    ],
    blockIO: { weight: 500 },
  };
  t.same(writes(v1Layout('/cg'), resources), [
    'cpu/jangada/s/c/cpu.shares=256',
    'cpu/jangada/s/c/cpu.cfs_period_us=100000',
    'cpu/jangada/s/c/cpu.cfs_quota_us=50000',
    'cpuset/jangada/s/c/cpuset.cpus=0-1',
    'cpuset/jangada/s/c/cpuset.mems=0',
    'memory/jangada/s/c/memory.limit_in_bytes=104857600',
    'memory/jangada/s/c/memory.memsw.limit_in_bytes=209715200?',
    'pids/jangada/s/c/pids.max=100',
    'blkio/jangada/s/c/blkio.weight=500?',
    'blkio/jangada/s/c/blkio.bfq.weight=500?',
    'hugetlb/jangada/s/c/hugetlb.2MB.limit_in_bytes=4194304',
    'hugetlb/jangada/s/c/hugetlb.2MB.rsvd.limit_in_bytes=4194304?',
    'hugetlb/jangada/s/c/hugetlb.1GB.limit_in_bytes=0?',
    'hugetlb/jangada/s/c/hugetlb.1GB.rsvd.limit_in_bytes=0?',
  ]);
});

t.test('v2 limits', async (t) => {
  const resources: Resources = {
    cpu: { shares: 1024, quota: 50_000, period: 20_000, cpus: '0', mems: '0' },
    memory: { limit: 100 * MIB, swap: 150 * MIB, reservation: 10 * MIB },
    pids: { limit: 100 },
    hugepageLimits: [{ pageSize: '2MB', limit: '4194304' }],
    unified: { 'memory.high': '1000000', 'memory.oom.group': '1', 'pids.max': '50' },
    devices: [{ allow: false, access: 'rwm' }],
  };
  t.same(
    writes(v2Layout('/cg'), resources).map((line) => line.replace('jangada/s/c/', '')),
    [
      'cpu.weight=100',
      'cpu.max=50000 20000',
      'cpuset.cpus=0',
      'cpuset.mems=0',
      'memory.max=104857600',
      'memory.swap.max=52428800',
      'memory.low=10485760',
      'pids.max=50',
      'hugetlb.2MB.max=4194304',
      'hugetlb.2MB.rsvd.max=4194304?',
      'memory.high=1000000',
      'memory.oom.group=1',
    ],
  );
});

t.test('v2: every ancestor passes on the controllers that are there and used', async (t) => {
  const controllers = (layout: CgroupLayout) =>
    cgroupOps(layout, PATH, {}).flatMap((op) =>
      op.op === 'cgroup-dir' && op.version === 'v2' ? [op.controllers] : [],
    );
  t.same(controllers(v2Layout('/cg')), [['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids']]);
  t.same(controllers(hybridLayout('/cg')), [['hugetlb']]);
});

t.test('device rules are a program where v1 does not guard devices', async (t) => {
  const devices = [{ allow: false, access: 'rwm' }];
  const program = (layout: CgroupLayout, rules = devices) =>
    cgroupOps(layout, PATH, { devices: rules }).filter(({ op }) => op === 'cgroup-devices');
  t.match(program(v2Layout('/cg')), [{ path: '/cg/jangada/s/c' }]);
  t.same(program(v2Layout('/cg'), [{ allow: true, access: 'rwm' }]), [], 'everything allowed: none');
  t.same(program(hybridLayout('/cg')), []);
});

t.test('hybrid: huge pages are limited where the controller is', async (t) => {
  const resources = {
    memory: { limit: MIB },
    hugepageLimits: [{ pageSize: '2MB', limit: '0' }],
    unified: { 'hugetlb.1GB.max': '0' },
  };
  t.same(writes(hybridLayout('/cg'), resources), [
    'memory/jangada/s/c/memory.limit_in_bytes=1048576',
    'unified/jangada/s/c/hugetlb.2MB.max=0?',
    'unified/jangada/s/c/hugetlb.2MB.rsvd.max=0?',
    'unified/jangada/s/c/hugetlb.1GB.max=0',
  ]);
});

t.test('unlimited, and nothing asked', async (t) => {
  const unlimited = { cpu: { quota: -1 }, memory: { limit: -1, swap: -1 }, pids: { limit: -1 } };
  const values = (layout: CgroupLayout) => writes(layout, unlimited).map((line) => line.split('/').at(-1));
  t.same(values(v1Layout('/cg')), [
    'cpu.cfs_quota_us=-1',
    'memory.limit_in_bytes=-1',
    'memory.memsw.limit_in_bytes=-1?',
    'pids.max=max',
  ]);
  t.same(values(v2Layout('/cg')), ['cpu.max=max 100000', 'memory.max=max', 'memory.swap.max=max?', 'pids.max=max']);
  const zeros = {
    cpu: { shares: 0, quota: 0, period: 0, cpus: '', mems: '' },
    memory: { limit: 0, swap: 0 },
    pids: { limit: 0 },
  };
  for (const layout of [v1Layout('/cg'), v2Layout('/cg')]) t.same(writes(layout, zeros), []);
});

t.test('no swap is the same as a swap limit equal to the memory limit', async (t) => {
  t.match(writes(v2Layout('/cg'), { memory: { limit: MIB, swap: MIB } }), [
    /memory.max=1048576$/,
    /memory.swap.max=0\?$/,
  ]);
});

t.test('cpu.weight goes through the three points that matter', async (t) => {
  const cases: Array<[number, number]> = [
    [1, 1],
    [2, 1],
    [102, 17],
    [1024, 100],
    [262144, 10000],
    [300000, 10000],
  ];
  for (const [shares, weight] of cases) t.equal(cpuWeight(shares), weight, `${shares} shares`);
});

t.test('device rules of v1', async (t) => {
  const devices = [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
    { allow: true, type: 'c', major: 136, access: 'rw' },
    { allow: true, type: 'b', major: -1, minor: -1, access: 'm' },
  ];
  t.same(writes(v1Layout('/cg'), { devices }), [
    'devices/jangada/s/c/devices.deny=a',
    'devices/jangada/s/c/devices.allow=c 1:3 rwm',
    'devices/jangada/s/c/devices.allow=c 136:* rw',
    'devices/jangada/s/c/devices.allow=b *:* m',
  ]);
});

t.test('unified: pids.max works everywhere, other keys need v2', async (t) => {
  t.same(writes(v1Layout('/cg'), { pids: { limit: 7 }, unified: { 'pids.max': '100' } }), [
    'pids/jangada/s/c/pids.max=100',
  ]);
  t.same(writes(hybridLayout('/cg'), { unified: { 'pids.max': 'max' } }), ['pids/jangada/s/c/pids.max=max']);
  for (const layout of [v1Layout('/cg'), hybridLayout('/cg')]) {
    t.throws(() => writes(layout, { unified: { 'memory.high': '1' } }), {
      code: 3,
      message: /cgroup v1 host: unified key "memory.high"/,
    });
  }
});

t.test('unified: what is refused', async (t) => {
  const cases: Array<[string, string, RegExp]> = [
    ['cgroup.procs', '1', /core cgroup file/],
    ['cgroup.kill', '1', /core cgroup file/],
    ['../memory.max', '1', /not a cgroup v2 file name/],
    ['memory/../x.y', '1', /not a cgroup v2 file name/],
    ['memory', '1', /not a cgroup v2 file name/],
    ['memory.high\n', '1', /not a cgroup v2 file name/],
    ['memory.high', '1\n2', /not one line/],
    ['misc.max', '1', /controller "misc" is not available/],
    ['pids.max', '0', /not a number of processes/],
    ['pids.max', '-1', /not a number of processes/],
    ['pids.max', 'many', /not a number of processes/],
  ];
  for (const [key, value, message] of cases) {
    t.throws(() => writes(v2Layout('/cg'), { unified: { [key]: value } }), { code: 3, message }, JSON.stringify(key));
  }
});

t.test('values that no kernel takes', async (t) => {
  const cases: Array<[Resources, RegExp]> = [
    [{ memory: { swap: MIB } }, /swap limit without a memory limit/],
    [{ memory: { limit: 2 * MIB, swap: MIB } }, /swap limit below the memory limit/],
    [{ memory: { limit: -1, swap: MIB } }, /swap limit below/],
    [{ cpu: { cpus: '0-' } }, /cpuset_cpus "0-"/],
    [{ cpu: { mems: '0\n1' } }, /cpuset_mems/],
    [{ hugepageLimits: [{ pageSize: '../2MB', limit: '1' }] }, /not a huge page size/],
    [{ hugepageLimits: [{ pageSize: '2MB', limit: '-1' }] }, /not a number of bytes/],
    [{ cpu: { shares: Number.NaN, quota: Number.POSITIVE_INFINITY } }, /not a number/],
  ];
  for (const [resources, message] of cases) t.throws(() => writes(v1Layout('/cg'), resources), { code: 3, message });
});

t.test('limits that nothing here can enforce are named', async (t) => {
  const bare: CgroupLayout = {
    mode: 'v2',
    v1: {},
    v2: { mountPoint: '/cg', controllers: ['hugetlb'], nsdelegate: true },
  };
  const resources: Resources = {
    cpu: { shares: 2, cpus: '0' },
    memory: { limit: 1 },
    unified: { 'pids.max': '5' },
    hugepageLimits: [{ pageSize: '2MB', limit: '1' }],
  };
  t.same(missingControllers(bare, resources), ['cpu', 'cpuset', 'memory', 'pids']);
  t.same(writes(bare, { cpu: { shares: 2 }, memory: { limit: 1 } }), []);
  t.same(missingControllers(v1Layout('/cg'), resources), []);
});
