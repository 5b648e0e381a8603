import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { v2Layout } from '../cgroup/layouts.fixture.js';
import { CgroupFiles } from './cgroup-files.js';
import { CpuRates } from './cpu-rates.js';
import { parseNetDev, readInterfaces } from './net-dev.js';
import { type MeasuredSandbox, SandboxStatsReader } from './sandbox-stats.js';

const NET_DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:12345678901     20    3    4    0     0          0         0     5678      30    5    6    0     0       0          0
net1.7:     1       2    3    4    0     0          0         0        5       6    7    8    0     0       0          0
`;
const MEASURED = {
  rx: { bytes: 1, packets: 2, errors: 3, dropped: 4 },
  tx: { bytes: 5, packets: 6, errors: 7, dropped: 8 },
};

const sandbox: MeasuredSandbox = {
  id: 'p1',
  config: { metadata: { name: 'raft', uid: 'u' }, labels: { app: 'x' }, annotations: { a: 'b' } },
  cgroupParent: '/pod',
  netnsPath: '',
  supervisorPid: process.pid,
};

t.test('the file of a network namespace', async (t) => {
  t.same(parseNetDev(NET_DEV), [
    {
      name: 'eth0',
      rx: { bytes: 12345678901, packets: 20, errors: 3, dropped: 4 },
      tx: { bytes: 5678, packets: 30, errors: 5, dropped: 6 },
    },
    { name: 'net1.7', ...MEASURED },
  ]);
  t.same(parseNetDev(''), []);
});

t.test('a process is believed only if it is in that namespace', async (t) => {
  t.type(readInterfaces(process.pid, '/proc/self/ns/net'), Array);
  t.equal(readInterfaces(process.pid, '/proc/self/ns/mnt'), undefined, 'another namespace: the pid is somebody else');
  t.equal(readInterfaces(0, '/proc/self/ns/net'), undefined);
  t.equal(readInterfaces(2 ** 22 + 1, '/proc/self/ns/net'), undefined, 'no such process');
  t.equal(readInterfaces(process.pid, ''), undefined, "the host's network is not the pod's");
});

t.test('the whole answer', async (t) => {
  const root = t.testdir({
    pod: {
      'cpu.stat': 'usage_usec 1000000\n',
      'memory.current': '10000\n',
      'memory.max': '20000\n',
      'memory.stat': 'anon 4096\ninactive_file 1000\npgfault 7\n',
      'pids.current': '12\n',
      'io.pressure': 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n',
    },
  });
  const time = { now: 0n };
  const clock = { wall: () => 1_700_000_000e9, monotonic: () => time.now };
  const reader = new SandboxStatsReader({
    layout: v2Layout(root),
    files: new CgroupFiles(0),
    rates: new CpuRates(clock),
    clock,
  });
  const containers = [{ attributes: { id: 'c1' } }];
  t.match(reader.read(sandbox, containers), {
    attributes: { id: 'p1', metadata: { name: 'raft', uid: 'u' }, labels: { app: 'x' }, annotations: { a: 'b' } },
    linux: {
      cpu: { usageCoreNanoSeconds: { value: '1000000000' }, usageNanoCores: null },
      memory: { usageBytes: { value: 10000 }, workingSetBytes: { value: 9000 }, pageFaults: { value: 7 } },
      io: { psi: { Some: { Avg10: 0 } } },
      network: null,
      process: { timestamp: 1_700_000_000e9, processCount: { value: 12 } },
      containers,
    },
  });
  time.now += 2_000_000_000n;
  writeFileSync(join(root, 'pod/cpu.stat'), 'usage_usec 2000000\n');
  t.equal(reader.read(sandbox, []).linux?.cpu?.usageNanoCores?.value, '500000000');
  t.match(reader.read({ ...sandbox, cgroupParent: '/none' }, []), {
    attributes: { id: 'p1' },
    linux: { cpu: null, memory: null, process: null, containers: [] },
  });
});
