import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import t from 'tap';
import { buildSpec } from '../oci/build-spec.js';
import type { OciSpec } from '../oci/spec.js';
import { containerConfig, resources, securityContext, specInput } from '../oci/spec-input.fixture.js';
import { type Adjuster, adjustSpec, type Subject } from './adjust.js';
import type { Adjustment } from './adjustment.js';
import { everything } from './every-field.fixture.js';

const built = (): OciSpec =>
  buildSpec(
    specInput({
      config: containerConfig({
        envs: [{ key: 'A', value: Buffer.from('1') }],
        linux: {
          resources: resources({ memoryLimitInBytes: '1000', unified: { 'pids.max': '5' } }),
          securityContext: securityContext(),
        },
      }),
    }),
  );

const adjuster = (owner: string, ...adjustments: Adjustment[]): Adjuster => ({
  adjust: async () => adjustments.map((adjustment) => ({ owner, adjustment })),
});
const adjust = (...adjusters: Adjuster[]) => adjustSpec(built(), {} as Subject, adjusters);

t.test('nobody adjusts: the specification stays what it is', async (t) => {
  const spec = built();
  t.equal((await adjustSpec(spec, {} as Subject, [])).spec, spec);
  const { spec: same, owners } = await adjust(adjuster('idle', {}));
  t.same(same, spec);
  t.equal(owners.size, 0);
});

t.test('every field is applied, has its owner, and the built specification is not touched', async (t) => {
  const before = built();
  const { spec, owners } = await adjustSpec(before, {} as Subject, [adjuster('all', everything)]);
  t.same(before, built());
  const { process, linux, mounts, annotations, hooks } = spec;
  t.match(
    { annotations, hooks, args: process.args, score: process.oomScoreAdj, io: process.ioPriority },
    {
      annotations: { 'example.com/a': '1' },
      hooks: everything.hooks,
      args: ['/other'],
      score: 77,
      io: { class: 'IOPRIO_CLASS_IDLE', priority: 0 },
    },
  );
  t.ok(process.env.includes('ADDED=1') && !process.env.some((entry) => entry.startsWith('A=')));
  t.same(process.rlimits, [{ type: 'RLIMIT_NOFILE', soft: '18446744073709551615', hard: '18446744073709551615' }]);
  t.ok(process.user.additionalGids.includes(44));
  t.match(
    mounts.find(({ destination }) => destination === '/plugin'),
    { type: 'bind', source: '/srv/plugin' },
  );
  t.notOk(mounts.some(({ destination }) => destination === '/dev/mqueue'));
  t.equal(linux.rootfsPropagation, 'rslave', 'a mount that takes part in propagation takes the root with it');
  t.match(
    linux.devices.find(({ path }) => path === '/dev/added'),
    { type: 'c', major: 10, minor: 229 },
  );
  t.match(linux.resources, {
    memory: { limit: 2000, swap: 2000, reservation: 500 },
    cpu: { shares: 10, cpus: '0' },
    pids: { limit: 9 },
    blockIO: { weight: 100 },
    hugepageLimits: [{ pageSize: '2MB', limit: '0' }],
    unified: { 'memory.high': '1500' },
  });
  t.same(linux.resources.devices.at(-1), { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' });
  for (const name of ['seccomp', 'intelRdt', 'memoryPolicy'] as const) t.same(linux[name], everything[name], name);
  t.same(linux.sysctl, { 'net.core.somaxconn': '1024' });
  t.same(linux.netDevices, { eth9: { name: 'fast0' } });
  t.same(
    linux.namespaces.find(({ type }) => type === 'network'),
    { type: 'network', path: '/run/netns/other' },
  );
  t.same([...new Set(owners.values())], ['all']);
  for (const field of ['args', 'mount /plugin', 'env ADDED', 'memory limit', 'pids limit', 'unified memory.high'])
    t.equal(owners.get(field), 'all', field);
});

t.test('two owners of one field are a conflict that names both', async (t) => {
  const cases: Array<[string, Adjustment, Adjustment]> = [
    ['args', { args: ['a'] }, { args: ['a'] }],
    ['annotation x', { annotations: { x: '1' } }, { annotations: { x: '2' } }],
    ['env X', { env: { X: '1' } }, { env: { X: '2' } }],
    ['mount /m', { mounts: { '/m': BIND } }, { mounts: { '/m': BIND } }],
    ['memory limit', { resources: { memory: { limit: 1 } } }, { resources: { memory: { limit: 2 } } }],
    ['cpu cpus', { resources: { cpu: { cpus: '0' } } }, { resources: { cpu: { cpus: '1' } } }],
    ['pids limit', { resources: { unified: { 'pids.max': '3' } } }, { resources: { pids: { limit: 4 } } }],
    ['oom score', { oomScoreAdj: 1 }, { oomScoreAdj: 2 }],
    ['intel rdt', { intelRdt: { closID: 'a' } }, { intelRdt: { closID: 'b' } }],
  ];
  for (const [field, first, second] of cases)
    await t.rejects(
      adjust(adjuster('first', first), adjuster('second', second)),
      { code: status.FAILED_PRECONDITION, message: new RegExp(`${field} .*by first and by second`) },
      field,
    );
});

const BIND = { type: 'bind', source: '/srv', options: ['rbind'] };

t.test('different fields, one owner twice, and what was taken away on purpose are no conflict', async (t) => {
  const { owners } = await adjust(
    adjuster('a', { resources: { memory: { limit: 1 } }, env: { X: '1' } }, { env: { X: '2' } }),
    adjuster('b', { resources: { cpu: { shares: 2 } }, env: { Y: '1', X: null } }, { env: { X: '3' } }),
  );
  t.match(Object.fromEntries(owners), { 'memory limit': 'a', 'cpu shares': 'b', 'env X': 'b', 'env Y': 'b' });
});

t.test('a later adjuster sees what those before it have made', async (t) => {
  const seen: string[][] = [];
  const looking: Adjuster = {
    adjust: async ({ process }) => {
      seen.push(process.args);
      return [];
    },
  };
  await adjust(looking, adjuster('a', { args: ['/new'] }), looking);
  t.same(seen, [['/bin/true'], ['/new']]);
});

t.test('hooks and groups add up', async (t) => {
  const hook = (path: string) => ({ hooks: { poststop: [{ path }] } });
  const { spec, owners } = await adjust(adjuster('a', hook('/1')), adjuster('b', hook('/2')));
  t.same(spec.hooks, { poststop: [{ path: '/1' }, { path: '/2' }] });
  t.equal(owners.get('hook poststop'), 'a, b');
});

t.test('a device and its rule go together', async (t) => {
  const device = { type: 'c' as const, major: 10, minor: 1, fileMode: 0o600, uid: 0, gid: 0, access: 'r' };
  const { spec } = await adjust(adjuster('a', { devices: { '/dev/x': device } }, { devices: { '/dev/x': null } }));
  t.same(spec.linux.devices, built().linux.devices);
  t.same(spec.linux.resources.devices, built().linux.resources.devices);
});

t.test('what nobody can carry out is refused by name', async (t) => {
  for (const [adjustment, message] of [
    [{ cdiDevices: ['vendor.com/gpu=0'] }, /CDI devices: vendor\.com\/gpu=0, wanted by a/],
    [{ cgroupsPath: '/elsewhere' }, /cgroups path \/elsewhere, wanted by a/],
  ] as const)
    await t.rejects(adjust(adjuster('a', adjustment)), { code: status.UNIMPLEMENTED, message });
});

t.test('the order of adjusters of different fields does not matter', async (t) => {
  const name = fc.constantFrom('A', 'B', 'C', 'D');
  const one = fc.dictionary(name, fc.constantFrom('1', '2'));
  const property = fc.asyncProperty(one, one, async (first, second) => {
    const own = Object.fromEntries(Object.entries(second).filter(([key]) => !(key in first)));
    const [a, b] = [adjuster('a', { annotations: first }), adjuster('b', { annotations: own })];
    const [one, other] = await Promise.all([adjust(a, b), adjust(b, a)]);
    t.same(one, other);
  });
  await fc.assert(property, { numRuns: 50 });
});
