import t from 'tap';
import { hybridLayout, v1Layout, v2Layout } from '../cgroup/layouts.fixture.js';
import { field, readCgroupFile } from './cgroup-file.js';
import { memoryInUse, readCgroup, readPids } from './cgroup-stats.js';
import { parsePressure } from './pressure.js';

const PRESSURE = 'some avg10=1.50 avg60=0.25 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n';
const V1_STAT = `cache 1
rss 2
inactive_file 3
hierarchical_memory_limit 104857600
hierarchical_memsw_limit 209715200
total_rss 4096
total_swap 512
total_pgfault 11
total_pgmajfault 2
total_inactive_file 1000
total_active_file 500
`;
const v1Tree = {
  cpuacct: { c: { 'cpuacct.usage': '9007199254740993\n' } },
  memory: { c: { 'memory.usage_in_bytes': '10000\n', 'memory.stat': V1_STAT } },
  pids: { c: { 'pids.current': '3\n' } },
};
const V1_MEMORY = {
  usage: 10000,
  limit: 104857600,
  inactiveFile: 1000,
  activeFile: 500,
  rss: 4096,
  pageFaults: 11,
  majorPageFaults: 2,
};

t.test('v1', async (t) => {
  t.same(readCgroup(v1Layout(t.testdir(v1Tree)), '/c'), {
    cpu: { usage: 9007199254740993n },
    memory: V1_MEMORY,
    swap: { usage: 512, limit: 104857600 },
    pressure: { cpu: null, memory: null, io: null },
  });
});

t.test('hybrid: limits and usage from v1, pressure from v2', async (t) => {
  const root = t.testdir({
    ...v1Tree,
    unified: { c: { 'cpu.pressure': PRESSURE, 'memory.pressure': PRESSURE, 'io.pressure': PRESSURE } },
  });
  const reading = readCgroup(hybridLayout(root), '/c');
  t.same(reading?.memory, V1_MEMORY);
  t.match(reading?.pressure.io, { Some: { Avg10: 1.5, Total: '1234000' }, Full: { Total: '0' } });
});

t.test('v2', async (t) => {
  const root = t.testdir({
    c: {
      'cpu.stat': 'usage_usec 1500\nuser_usec 1000\n',
      'memory.current': '10000\n',
      'memory.max': 'max\n',
      'memory.stat':
        'anon 4096\nfile 2000\ninactive_anon 7\ninactive_file 1000\nactive_file 500\npgfault 11\npgmajfault 2\n',
      'memory.swap.current': '512\n',
      'memory.swap.max': '1024\n',
      'pids.current': '3\n',
      'cpu.pressure': PRESSURE,
    },
  });
  const reading = readCgroup(v2Layout(root), '/c');
  t.match(reading, { cpu: { usage: 1500000n }, swap: { usage: 512, limit: 1024 } });
  t.same(readPids(v2Layout(root), '/c', readCgroupFile), { current: 3, max: Number.POSITIVE_INFINITY });
  t.same(reading?.memory, { ...V1_MEMORY, limit: Number.POSITIVE_INFINITY });
  t.match(reading?.pressure, { cpu: { Some: { Avg60: 0.25 } }, memory: null, io: null });
  t.equal(memoryInUse(v2Layout(root), '/c'), 8500, 'page cache can be dropped');
});

t.test('v2 without controllers still accounts CPU time', async (t) => {
  const root = t.testdir({ c: { 'cpu.stat': 'usage_usec 1500\n' } });
  const layout = { mode: 'v2', v1: {}, v2: { mountPoint: root, controllers: [] } } as const;
  t.match(readCgroup(layout, '/c'), { cpu: { usage: 1500000n }, memory: null, swap: null });
  t.equal(readPids(layout, '/c', readCgroupFile), null);
});

t.test('v1 without a limit, and without swap accounting', async (t) => {
  const stat = V1_STAT.replace('104857600', '9223372036854771712')
    .replace('hierarchical_memsw_limit 209715200\n', '')
    .replace('total_swap 512\n', '');
  const root = t.testdir({ memory: { c: { 'memory.usage_in_bytes': '1\n', 'memory.stat': stat } } });
  const reading = readCgroup(v1Layout(root), '/c');
  t.match(reading, { cpu: null, memory: { limit: Number.POSITIVE_INFINITY }, swap: null });
});

t.test('a cgroup that is gone', async (t) => {
  const root = t.testdir({});
  for (const layout of [v1Layout(root), hybridLayout(root), v2Layout(root)]) {
    t.equal(readCgroup(layout, '/c'), undefined);
    t.equal(memoryInUse(layout, '/c'), undefined);
  }
});

t.test('keys are matched whole', async (t) => {
  t.equal(field('total_rss 1\nrss 2\nrss_huge 3', 'rss'), 2);
  t.equal(field('rss 1', 'rss'), 1, 'first line, no newline');
  t.equal(field('total_rss 1\n', 'rss'), undefined);
});

t.test('this process can read its own host', async (t) => {
  t.match(readCgroupFile('/proc/self/stat'), /^\d+ \(/);
  t.throws(() => readCgroupFile('/proc'), { code: 'EISDIR' }, 'anything but absence is an error');
});

t.test('pressure files', async (t) => {
  t.same(parsePressure(PRESSURE), {
    Some: { Avg10: 1.5, Avg60: 0.25, Avg300: 0, Total: '1234000' },
    Full: { Avg10: 0, Avg60: 0, Avg300: 0, Total: '0' },
  });
  t.match(parsePressure('some avg10=0.00 avg60=0.00 avg300=0.00 total=18446744073709551\n'), {
    Some: { Total: '18446744073709551000' },
    Full: null,
  });
  t.equal(parsePressure(''), null);
});
