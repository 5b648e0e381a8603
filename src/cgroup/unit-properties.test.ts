import t from 'tap';
import type { OciLimits } from '../oci/spec.js';
import { limitProperties, scopeProperties } from './unit-properties.js';

const MIB = 1 << 20;
const INFINITY = 2n ** 64n - 1n;
const plain = (limits: OciLimits, unified: Array<[string, string]> = []) =>
  Object.fromEntries(
    limitProperties({ ...limits, unified: Object.fromEntries(unified) }).map(([name, { value }]) => [name, value]),
  );

t.test('limits as systemd words them', async (t) => {
  const resources: OciLimits = {
    cpu: { shares: 1024, quota: 50_000, period: 20_000, cpus: '0-2,9', mems: '0' },
    memory: { limit: 100 * MIB, swap: 150 * MIB, reservation: 10 * MIB },
    pids: { limit: 100 },
    blockIO: { weight: 1000 },
  };
  t.same(plain(resources), {
    CPUWeight: 100n,
    CPUQuotaPeriodUSec: 20_000n,
    CPUQuotaPerSecUSec: 2_500_000n,
    AllowedCPUs: Uint8Array.of(0b111, 0b10),
    AllowedMemoryNodes: Uint8Array.of(1),
    MemoryMax: BigInt(100 * MIB),
    MemorySwapMax: BigInt(50 * MIB),
    MemoryLow: BigInt(10 * MIB),
    TasksMax: 100n,
    IOWeight: 10_000n,
  });
  t.same(plain({}), {}, 'nothing asked, nothing said');
});

t.test('no limit', async (t) => {
  t.same(plain({ cpu: { quota: -1 }, memory: { limit: -1, swap: -1 }, pids: { limit: -1 } }), {
    CPUQuotaPerSecUSec: INFINITY,
    MemoryMax: INFINITY,
    MemorySwapMax: INFINITY,
    TasksMax: INFINITY,
  });
});

t.test('a quota is rounded up to a whole percent', async (t) => {
  t.equal(plain({ cpu: { quota: 12_345 } })['CPUQuotaPerSecUSec'], 130_000n);
  t.equal(plain({ cpu: { quota: 12_000 } })['CPUQuotaPerSecUSec'], 120_000n);
  t.equal(plain({ cpu: { quota: 1 } })['CPUQuotaPerSecUSec'], 10_000n);
});

t.test('keys of unified win; what systemd has no word for is not passed on', async (t) => {
  t.same(
    plain({ memory: { limit: MIB } }, [
      ['memory.max', '2097152'],
      ['memory.high', 'max'],
      ['memory.min', '4096'],
      ['memory.oom.group', '1'],
      ['cpu.max', 'max 50000'],
      ['cpu.weight', '7'],
      ['cpuset.cpus', '1'],
      ['io.weight', 'default 200'],
      ['io.max', '8:0 rbps=1'],
      ['hugetlb.2MB.max', '0'],
    ]),
    {
      MemoryMax: 2_097_152n,
      MemoryHigh: INFINITY,
      MemoryMin: 4096n,
      CPUQuotaPeriodUSec: 50_000n,
      CPUQuotaPerSecUSec: INFINITY,
      CPUWeight: 7n,
      AllowedCPUs: Uint8Array.of(2),
      IOWeight: 200n,
    },
  );
});

t.test('lists of CPUs that would fill the memory are refused', async (t) => {
  for (const cpus of ['0-99999', '5-1', 'x', '1,'])
    t.throws(() => plain({}, [['cpuset.cpus', cpus]]), { code: 3 }, cpus);
});

t.test('the scope of a container', async (t) => {
  const properties = scopeProperties(
    'c'.repeat(64),
    'kubepods-pod1.slice',
    42,
    limitProperties({ pids: { limit: 5 } }),
  );
  t.match(Object.fromEntries(properties), {
    Slice: { signature: 's', value: 'kubepods-pod1.slice' },
    PIDs: { signature: 'au', value: [42] },
    Delegate: { signature: 'b', value: true },
    DefaultDependencies: { signature: 'b', value: false },
    CollectMode: { signature: 's', value: 'inactive-or-failed' },
    MemoryAccounting: { signature: 'b', value: true },
    TasksMax: { signature: 't', value: 5n },
  });
});
