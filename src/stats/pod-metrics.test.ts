import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { v1Layout, v2Layout } from '../cgroup/layouts.fixture.js';
import type { Metric } from '../gen/runtime/v1/Metric.js';
import { parseBlkio, parseIoStat } from './block-metrics.js';
import { Slices } from '../base/in-slices.js';
import { CgroupFiles } from './cgroup-files.js';
import type { CgroupMounts } from './cgroup-stats.js';
import { Filesystem, sourceOf } from './filesystem.js';
import { pageSizeName } from './hugetlb-metrics.js';
import { DESCRIPTORS, METRICS } from './metric-descriptors.js';
import { PodMetricsReader, type TimedContainer } from './pod-metrics.js';

const PRESSURE =
  'some avg10=0.00 avg60=0.00 avg300=0.00 total=3000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=2000000\n';

const v2Cgroup = {
  'cpu.stat':
    'usage_usec 9000000\nuser_usec 5000000\nsystem_usec 4000000\nnr_periods 7\nnr_throttled 3\nthrottled_usec 2500000\n',
  'cpu.max': '20000 100000\n',
  'cpu.weight': '39\n',
  'cpu.pressure': PRESSURE,
  'memory.current': '10000\n',
  'memory.max': '20000\n',
  'memory.low': '0\n',
  'memory.swap.max': 'max\n',
  'memory.swap.current': '5\n',
  'memory.peak': '15000\n',
  'memory.events': 'low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\noom_group_kill 0\n',
  'memory.stat': 'anon 4096\nfile 2000\nkernel 300\nfile_mapped 70\ninactive_file 1000\npgfault 11\npgmajfault 2\n',
  'pids.current': '12\n',
  'pids.max': 'max\n',
  'cgroup.procs': `${process.pid}\n`,
  'io.stat': '7:99 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n7:98 \n',
};
const v1Tree = {
  cpu: {
    c: {
      'cpu.stat': 'nr_periods 7\nnr_throttled 3\nthrottled_time 2500000000\n',
      'cpu.shares': '1024\n',
      'cpu.cfs_period_us': '100000\n',
      'cpu.cfs_quota_us': '20000\n',
    },
  },
  cpuacct: {
    c: { 'cpuacct.usage': '9000000000\n', 'cpuacct.usage_user': '5000000000\n', 'cpuacct.usage_sys': '4000000000\n' },
  },
  memory: {
    c: {
      'memory.usage_in_bytes': '10000\n',
      'memory.max_usage_in_bytes': '15000\n',
      'memory.failcnt': '4\n',
      'memory.limit_in_bytes': '20000\n',
      'memory.soft_limit_in_bytes': '9223372036854771712\n',
      'memory.memsw.limit_in_bytes': '9223372036854771712\n',
      'memory.kmem.usage_in_bytes': '300\n',
      'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
      'memory.stat':
        'hierarchical_memory_limit 20000\nhierarchical_memsw_limit 30000\ntotal_swap 5\ntotal_cache 2000\ntotal_rss 4096\ntotal_mapped_file 70\ntotal_inactive_file 1000\ntotal_pgfault 11\ntotal_pgmajfault 2\n',
    },
  },
  pids: { c: { 'pids.current': '12\n', 'pids.max': 'max\n', 'cgroup.procs': `${process.pid}\n` } },
};

const container: TimedContainer = {
  id: 'c1',
  config: { metadata: { name: 'web', attempt: 0 }, labels: {}, annotations: {} },
  cgroupPath: '/c',
  upperDir: '',
  image: { ref: 'busybox@sha256:1' },
  createdAt: '1700000000000000000',
  startedAt: '1700000005900000000',
};
const sandbox = {
  id: 'p1',
  config: { metadata: { name: 'raft', namespace: 'sea', uid: 'u' }, labels: {}, annotations: {} },
  cgroupParent: '/none',
  createdAt: '1700000000000000000',
  netnsPath: '/proc/self/ns/net',
  supervisorPid: process.pid,
};

const metricsOf = async (layout: CgroupMounts, upperDir: string) => {
  const use = { bytes: 12_288, inodes: 3, countedAt: 1_700_000_000_000 };
  const writable = { get: () => use, known: async () => undefined };
  const reader = new PodMetricsReader({ layout, files: new CgroupFiles(0), filesystem: new Filesystem('/'), writable });
  const measured = { ...container, upperDir };
  await reader.prepare([measured]);
  const { metrics = [], containerMetrics } = await reader.read(sandbox, [measured], new Slices());
  return { pod: metrics, container: containerMetrics?.[0]?.metrics ?? [] };
};

const values = (metrics: Metric[], ...labels: string[]): Record<string, number> =>
  Object.fromEntries(
    metrics
      .filter(({ labelValues = [] }) => labels.every((label) => labelValues.includes(label)))
      .map(({ name = '', value }) => [name.replace('container_', ''), Number(value?.value)]),
  );

/** What both layouts count, in the same words. */
const SAME = {
  cpu_usage_seconds_total: 9,
  cpu_user_seconds_total: 5,
  cpu_system_seconds_total: 4,
  cpu_cfs_periods_total: 7,
  cpu_cfs_throttled_periods_total: 3,
  cpu_cfs_throttled_seconds_total: 2,
  memory_cache: 2000,
  memory_failcnt: 4,
  memory_kernel_usage: 300,
  memory_mapped_file: 70,
  memory_max_usage_bytes: 15000,
  memory_rss: 4096,
  memory_swap: 5,
  memory_usage_bytes: 10000,
  memory_working_set_bytes: 9000,
  oom_events_total: 1,
  processes: 1,
  spec_cpu_period: 100000,
  spec_cpu_quota: 20000,
  spec_memory_limit_bytes: 20000,
  spec_memory_reservation_limit_bytes: 0,
  spec_memory_swap_limit_bytes: 0,
  start_time_seconds: 1700000005,
  threads: 12,
  threads_max: 0,
};

t.test('v2', async (t) => {
  const root = t.testdir({ c: v2Cgroup, upper: { file: 'x'.repeat(10_000) } });
  const { container: metrics } = await metricsOf(v2Layout(root), join(root, 'upper'));
  const all = values(metrics);
  t.match(all, {
    ...SAME,
    spec_cpu_shares: 998,
    pressure_cpu_stalled_seconds_total: 2,
    pressure_cpu_waiting_seconds_total: 3,
  });
  t.ok((all['file_descriptors'] ?? 0) > 3 && (all['ulimits_soft'] ?? 0) > 0);
  t.ok(all['fs_usage_bytes'] === 12_288 && (all['fs_limit_bytes'] ?? 0) > (all['fs_usage_bytes'] ?? 0));
  t.ok((all['fs_inodes_total'] ?? 0) >= (all['fs_inodes_free'] ?? 0));
  t.match(values(metrics, '7:99'), { fs_reads_bytes_total: 4096, fs_writes_total: 2 });
  t.match(values(metrics, '7:99', '7', '99', 'Write'), { blkio_device_usage_total: 8192 });
  t.match(values(metrics, 'pgmajfault', 'hierarchy'), { memory_failures_total: 2 });
});

t.test('v1', async (t) => {
  const root = t.testdir(v1Tree);
  const { container: metrics } = await metricsOf(v1Layout(root), root);
  t.match(values(metrics), { ...SAME, spec_cpu_shares: 1024 });
  writeFileSync(join(root, 'cpu/c/cpu.cfs_quota_us'), '-1\n');
  const { container: later } = await metricsOf(v1Layout(root), root);
  t.notOk('spec_cpu_quota' in values(later), 'no quota');
});

t.test('every value belongs to a description, and its labels to its keys', async (t) => {
  const keys = new Map(DESCRIPTORS.map(({ name = '', labelKeys = [] }) => [name, labelKeys]));
  const root = t.testdir({ c: v2Cgroup });
  const { pod, container: metrics } = await metricsOf(v2Layout(root), root);
  for (const { name = '', labelValues = [], metricType } of [...pod, ...metrics]) {
    t.equal(labelValues.length, keys.get(name)?.length, name);
    t.equal(metricType, METRICS[name as keyof typeof METRICS].type === 'GAUGE' ? 1 : 0);
  }
  const base = { namespace: 'sea', pod: 'raft', container: 'web', id: '/c', image: 'busybox@sha256:1', name: 'c1' };
  const labels = metrics.find(({ name }) => name === 'container_memory_rss')?.labelValues ?? [];
  t.same(Object.fromEntries((keys.get('container_memory_rss') ?? []).map((key, i) => [key, labels[i]])), base);
  t.equal(DESCRIPTORS.length, 56);
  t.ok(DESCRIPTORS.every(({ help }) => help));
  t.match(values(pod), { start_time_seconds: 1700000000 });
});

t.test('a container that is gone has no values of a cgroup', async (t) => {
  const root = t.testdir({});
  for (const layout of [v1Layout(root), v2Layout(root)]) {
    const all = values((await metricsOf(layout, root)).container);
    t.notOk('memory_rss' in all || 'processes' in all || 'threads' in all);
    t.ok('start_time_seconds' in all);
  }
});

t.test('block devices', async (t) => {
  const bytes = '8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 1\n8:0 Total 12289\nTotal 12289\n';
  t.same(parseBlkio(bytes, '8:0 Read 1\n8:0 Write 2\nTotal 3\n'), [
    { number: '8:0', readBytes: 4096, writeBytes: 8192, reads: 1, writes: 2 },
  ]);
  t.same(parseBlkio('Total 0\n', ''), []);
  t.same(parseIoStat('253:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n'), [
    { number: '253:16', readBytes: 1, writeBytes: 2, reads: 3, writes: 4 },
  ]);
  t.same(parseIoStat(''), []);
});

t.test('names of devices and page sizes', async (t) => {
  const line = '36 35 253:1048575 / /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue';
  const dev = (253 << 8) + 0xff + (1048575 - 0xff) * 2 ** 12;
  t.equal(sourceOf(dev, `x\n${line}\n`), '/dev/root');
  t.equal(sourceOf(0x801, line), '8:1', 'not mounted here');
  t.same([64, 2048, 1 << 20].map(pageSizeName), ['64KB', '2MB', '1GB']);
});
