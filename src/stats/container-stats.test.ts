import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { v2Layout } from '../cgroup/layouts.fixture.js';
import { CgroupFiles } from './cgroup-files.js';
import { ContainerStatsReader, type MeasuredContainer } from './container-stats.js';
import { CpuRates } from './cpu-rates.js';

const SECOND = 1_000_000_000n;
const container: MeasuredContainer = {
  id: 'c1',
  config: { metadata: { name: 'web', attempt: 2 }, labels: { app: 'x' }, annotations: { a: 'b' } },
  cgroupPath: '/c',
  upperDir: '/upper',
};

const setup = (test: Pick<typeof t, 'testdir'>) => {
  const root = test.testdir({
    c: {
      'cpu.stat': 'usage_usec 1000000\n',
      'memory.current': '10000\n',
      'memory.max': '20000\n',
      'memory.stat': 'anon 4096\ninactive_file 1000\n',
      'memory.swap.current': '5\n',
      'memory.swap.max': 'max\n',
      'io.pressure': 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
    },
  });
  const time = { now: 100n * SECOND };
  const clock = { wall: () => 1_700_000_000e9, monotonic: () => time.now };
  const reader = new ContainerStatsReader({
    // Plain files do not say ENODEV when they are removed.
    files: new CgroupFiles(0),
    rates: new CpuRates(clock),
    layout: v2Layout(root),
    writableLayer: () => ({ bytes: 4096, inodes: 2, countedAt: 1700 }),
    mountpoint: '/var/lib/jangada',
    clock,
  });
  const used = (microseconds: number) => writeFileSync(join(root, 'c/cpu.stat'), `usage_usec ${microseconds}\n`);
  return { root, time, reader, used };
};

t.test('the whole answer', async (t) => {
  const timestamp = 1_700_000_000e9;
  const { reader } = setup(t);
  t.same(reader.read(container), {
    attributes: { id: 'c1', metadata: { name: 'web', attempt: 2 }, labels: { app: 'x' }, annotations: { a: 'b' } },
    cpu: { timestamp, usageCoreNanoSeconds: { value: '1000000000' }, usageNanoCores: null, psi: null },
    memory: {
      timestamp,
      workingSetBytes: { value: 9000 },
      availableBytes: { value: 11000 },
      usageBytes: { value: 10000 },
      rssBytes: { value: 4096 },
      pageFaults: { value: 0 },
      majorPageFaults: { value: 0 },
      psi: null,
    },
    swap: { timestamp, swapUsageBytes: { value: 5 }, swapAvailableBytes: null },
    io: { timestamp, psi: { Some: { Avg10: 0, Avg60: 0, Avg300: 0, Total: '0' }, Full: null } },
    writableLayer: {
      timestamp: 1_700_000_000,
      fsId: { mountpoint: '/var/lib/jangada' },
      usedBytes: { value: 4096 },
      inodesUsed: { value: 2 },
    },
  });
});

t.test('the CPU rate needs two readings, a second apart', async (t) => {
  const { reader, time, used } = setup(t);
  const rate = () => reader.read(container).cpu?.usageNanoCores?.value;
  t.equal(rate(), undefined);
  time.now += SECOND / 2n;
  used(9_000_000);
  t.equal(rate(), undefined, 'too soon');
  time.now += (3n * SECOND) / 2n;
  used(2_000_000);
  t.equal(rate(), '500000000', 'one CPU second in two');
  time.now += SECOND / 2n;
  t.equal(rate(), '500000000', 'the last rate stands');
  time.now += SECOND;
  used(1_000_000);
  t.equal(rate(), undefined, 'a counter that went back belongs to another cgroup');
  time.now += SECOND;
  used(2_000_000);
  t.equal(rate(), '1000000000');
  reader.forget(container);
  t.equal(rate(), undefined);
});

t.test('a container whose cgroup is gone', async (t) => {
  const { reader, root } = setup(t);
  reader.read(container);
  rmSync(join(root, 'c'), { recursive: true });
  t.match(reader.read(container), {
    attributes: { id: 'c1' },
    cpu: null,
    memory: null,
    swap: null,
    io: null,
    writableLayer: { inodesUsed: { value: 2 } },
  });
  t.match(reader.read({ ...container, cgroupPath: '', upperDir: '' }), { cpu: null, writableLayer: null });
});
