import t from 'tap';
import { hybridLayout, v1Layout, v2Layout } from './layouts.fixture.js';
import type { CgroupLayout } from './layout.js';
import type { OciDeviceRule, OciLimits } from '../oci/spec.js';
import { cgroupOps } from './resources.js';
import { cpuWeight } from './v2.js';

const PATH = '/jangada/s/c';
/** `<file>=<value>`, with `?` after optional ones. */
const writes = (layout: CgroupLayout, limits: OciLimits, devices: OciDeviceRule[] = []): string[] =>
  cgroupOps(layout, PATH, 'leaf', { ...limits, devices }).flatMap((op) =>
    op.op === 'cgroup-write' ? [`${op.path.replace('/cg/', '')}=${op.value}${op.optional ? '?' : ''}`] : [],
  );
const MIB = 1 << 20;

t.test('the directories of a container', async (t) => {
  const ops = cgroupOps(hybridLayout('/cg'), PATH, 'leaf', { devices: [] }).filter(({ op }) => op === 'cgroup-dir');
  t.match(ops[2], { path: '/cg/cpuset/jangada/s/c', version: 'v1-cpuset', role: 'leaf' });
  t.match(ops.at(-1), { path: '/cg/unified/jangada/s/c', version: 'v2', role: 'leaf' });
  t.equal(ops.length, 9, 'systemd and v2 too');
  const shared: CgroupLayout = { mode: 'v1', v1: { cpu: '/cg/both', cpuacct: '/cg/both' } };
  const all = [{ allow: true, access: 'rwm' }];
  t.equal(cgroupOps(shared, PATH, 'leaf', { devices: all }).length, 1, 'one mount, one directory');
});

t.test('v1 limits, in the order in which the kernel takes them', async (t) => {
  const resources: OciLimits = {
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
  const resources: OciLimits = {
    cpu: { shares: 1024, quota: 50_000, period: 20_000, cpus: '0', mems: '0' },
    memory: { limit: 100 * MIB, swap: 150 * MIB, reservation: 10 * MIB },
    pids: { limit: 100 },
    hugepageLimits: [{ pageSize: '2MB', limit: '4194304' }],
    unified: { 'memory.high': '1000000', 'memory.oom.group': '1', 'pids.max': '50' },
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
      'pids.max=100',
      'hugetlb.2MB.max=4194304',
      'hugetlb.2MB.rsvd.max=4194304?',
      'memory.high=1000000',
      'memory.oom.group=1',
      'pids.max=50',
    ],
  );
});

t.test('v2: every ancestor passes on the controllers that are there and used', async (t) => {
  const controllers = (layout: CgroupLayout) =>
    cgroupOps(layout, PATH, 'leaf', { devices: [] }).flatMap((op) =>
      op.op === 'cgroup-dir' && op.version === 'v2' ? [op.controllers] : [],
    );
  t.same(controllers(v2Layout('/cg')), [['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids']]);
  t.same(controllers(hybridLayout('/cg')), [['hugetlb']]);
});

t.test('device rules are a program where v1 does not guard devices', async (t) => {
  const devices = [{ allow: false, access: 'rwm' }];
  const program = (layout: CgroupLayout, rules = devices) =>
    cgroupOps(layout, PATH, 'leaf', { devices: rules }).filter(({ op }) => op === 'cgroup-devices');
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

t.test('where nothing guards devices only those who may have all of them get any', async (t) => {
  const { devices: _, ...v1 } = v1Layout('/cg').v1;
  const made = (devices: OciDeviceRule[]) => () => cgroupOps({ mode: 'v1', v1 }, PATH, 'leaf', { devices });
  t.throws(made([{ allow: false, access: 'rwm' }]), /nothing keeps a container from devices.*mount it or cgroup2/);
  t.throws(made([]), /nothing keeps/, 'no rule allows nothing');
  t.doesNotThrow(made([{ allow: true, access: 'rwm' }]), 'privileged');
});

t.test('device rules of v1', async (t) => {
  const devices: OciDeviceRule[] = [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
    { allow: true, type: 'c', major: 136, access: 'rw' },
    { allow: true, type: 'b', major: -1, minor: -1, access: 'm' },
  ];
  t.same(writes(v1Layout('/cg'), {}, devices), [
    'devices/jangada/s/c/devices.deny=a',
    'devices/jangada/s/c/devices.allow=c 1:3 rwm',
    'devices/jangada/s/c/devices.allow=c 136:* rw',
    'devices/jangada/s/c/devices.allow=b *:* m',
  ]);
});

t.test('block I/O: weights and throttles by device', async (t) => {
  const device = { major: 8, minor: 16 };
  const blockIO = {
    weight: 100,
    weightDevice: [{ ...device, weight: 1000 }],
    throttleReadBpsDevice: [{ ...device, rate: 1_000_000 }],
    throttleWriteBpsDevice: [{ ...device, rate: 0 }],
    throttleReadIOPSDevice: [{ ...device, rate: 30 }],
    throttleWriteIOPSDevice: [{ ...device, rate: 40 }],
  };
  const files = (layout: CgroupLayout) => writes(layout, { blockIO }).map((line) => line.split('/').at(-1));
  t.same(files(v1Layout('/cg')), [
    'blkio.weight=100?',
    'blkio.weight_device=8:16 1000?',
    'blkio.bfq.weight=100?',
    'blkio.bfq.weight_device=8:16 1000?',
    'blkio.throttle.read_bps_device=8:16 1000000',
    'blkio.throttle.write_bps_device=8:16 0',
    'blkio.throttle.read_iops_device=8:16 30',
    'blkio.throttle.write_iops_device=8:16 40',
  ]);
  t.same(files(v2Layout('/cg')), [
    'io.bfq.weight=100?',
    'io.weight=default 910?',
    'io.bfq.weight=8:16 1000?',
    'io.weight=8:16 10000?',
    'io.max=8:16 rbps=1000000',
    'io.max=8:16 wbps=max',
    'io.max=8:16 riops=30',
    'io.max=8:16 wiops=40',
  ]);
});

t.test('what only some of the requests can say', async (t) => {
  const limits = {
    cpu: { burst: 1000, idle: 1, realtimePeriod: 1_000_000, realtimeRuntime: 950_000 },
    memory: { reservation: 4096, swappiness: 10 },
  };
  const files = (layout: CgroupLayout) => writes(layout, limits).map((line) => line.split('/').at(-1));
  t.same(files(v1Layout('/cg')), [
    'cpu.cfs_burst_us=1000',
    'cpu.rt_period_us=1000000',
    'cpu.rt_runtime_us=950000',
    'cpu.idle=1',
    'memory.soft_limit_in_bytes=4096?',
    'memory.swappiness=10',
  ]);
  t.same(files(v2Layout('/cg')), ['cpu.max.burst=1000', 'cpu.idle=1', 'memory.low=4096']);
});
