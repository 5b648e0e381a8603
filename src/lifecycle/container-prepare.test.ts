import { status } from '@grpc/grpc-js';
import t from 'tap';
import type { Adjustment } from '../extend/adjustment.js';
import { common, everything, ofRuntimes } from '../extend/every-field.fixture.js';
import { containerConfig, hostFacts, resources, sandboxConfig, securityContext } from '../oci/spec-input.fixture.js';
import type { OciSpec } from '../oci/spec.js';
import type { Sandbox } from '../store/sandbox.js';
import { ContainerCgroups } from './container-cgroups.js';
import { prepareContainer } from './container-prepare.js';
import { ExecPlans } from './exec-plans.js';
import { externalMaker } from './make-external.js';
import { nativeMaker } from './make-native.js';
import type { Maker } from './maker.js';
import { defaultConfig } from '../base/config.js';
import type { Runtime } from './runtime.js';

const ID = 'c'.repeat(64);
const SANDBOX = {
  id: 'a'.repeat(64),
  config: sandboxConfig(),
  runtimeHandler: '',
  cgroupParent: '/pod',
  netnsPath: '/run/netns/p',
} as Sandbox;
const CONFIG = containerConfig({
  image: { image: 'i', annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' },
  envs: [{ key: 'A', value: Buffer.from('1') }],
  linux: { resources: resources({ memoryLimitInBytes: '1000' }), securityContext: securityContext() },
});
const LAYOUT = {
  mode: 'v2' as const,
  v1: {},
  v2: { mountPoint: '/cg', controllers: ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'], nsdelegate: true },
};
const FILTERS = { get: () => new Uint8Array(8) } as unknown as Runtime['filters'];

const runtime = (maker: Maker, adjustment?: Adjustment): Runtime =>
  ({
    config: defaultConfig(),
    host: hostFacts(),
    images: {
      resolve: () => ({ id: 'sha256:i' }),
      read: async () => ({
        id: 'sha256:i',
        repoDigests: [],
        repoTags: [],
        layers: [],
        config: {},
        identity: { passwd: '', group: '' },
      }),
    },
    layers: { lowerDirs: () => ['/layers/a'], readonlyDirs: () => [] },
    handlers: { require: () => ({ maker }) },
    cgroups: LAYOUT,
    cgroupDriver: { containerCgroup: (pod: string, id: string) => `${pod}/${id}` },
    containerCgroups: new ContainerCgroups(LAYOUT, {} as Runtime['systemd']),
    filters: FILTERS,
    supervisors: { require: () => ({ pid: 7, list: async () => ({ podInitPid: 8 }) }) },
    adjusters: adjustment ? [{ adjust: async () => [{ owner: 'test', adjustment }] }] : [],
  }) as unknown as Runtime;

const prepare = (maker: Maker, adjustment?: Adjustment) =>
  prepareContainer(runtime(maker, adjustment), SANDBOX, CONFIG, ID);

const newest = externalMaker({
  name: 'new',
  path: '/usr/bin/new',
  version: 'new 1.4',
  recursiveReadOnlyMounts: true,
  specification: [1, 3],
});

t.test('native: the plan and later processes are those of the adjusted specification', async (t) => {
  const { prepared, blueprint } = await prepare(nativeMaker, common);
  const plan = Buffer.from(prepared.plan).toString('latin1');
  for (const text of [
    ...['/plugin', '/srv/plugin', '/scratch', 'size=1m', '/other', 'ADDED=1', '/dev/added'],
    ...[`/cg/pod/${ID}/memory.max`, 'memory.high', '/dev/shm'],
    ...['/bin/true', `{"ociVersion":"1.2.1","id":"${ID}","bundle":"/run/jangada/pods/${SANDBOX.id}/containers/${ID}"`],
  ])
    t.ok(plan.includes(text), text);
  t.notOk(plan.includes('/dev/mqueue'));
  const spec = JSON.parse(prepared.files[0]?.text() ?? '') as OciSpec;
  t.notOk(
    spec.mounts.some(({ type }) => type === 'shm'),
    'what is private is not published',
  );
  const plans = new ExecPlans(defaultConfig(), FILTERS);
  plans.prepare(ID, blueprint.spec);
  const exec = Buffer.from(await plans.get({ id: ID, sandboxId: SANDBOX.id, config: CONFIG }, ['id']));
  t.ok(exec.includes('ADDED=1'));
});

t.test('native: what no plan can do is refused with the name of whoever wants it', async (t) => {
  for (const [field, value] of Object.entries(ofRuntimes))
    await t.rejects(
      prepare(nativeMaker, { [field]: value }),
      { code: status.UNIMPLEMENTED, message: /^not known to the handler "native": .*, set by test;/ },
      field,
    );
});

t.test('external: the bundle has every field, and limits are made by us', async (t) => {
  const { prepared } = await prepare(newest, everything);
  const [bundle, published] = prepared.files.map(({ text }) => JSON.parse(text()) as OciSpec);
  t.match(bundle, {
    process: { args: ['/other'], ioPriority: everything.ioPriority, scheduler: everything.scheduler },
    hooks: everything.hooks,
    linux: {
      sysctl: everything.sysctl,
      netDevices: { eth9: { name: 'fast0' } },
      intelRdt: everything.intelRdt,
      memoryPolicy: everything.memoryPolicy,
    },
  });
  t.match(
    bundle?.linux.namespaces.find(({ type }) => type === 'network'),
    { path: '/run/netns/other' },
  );
  t.ok(prepared.files[0]?.text().includes('"hard":18446744073709551615'));
  t.notOk(bundle && 'oomScoreAdj' in bundle.process);
  t.equal(published?.process.oomScoreAdj, 77, 'for further processes');
  t.ok(Buffer.from(prepared.plan).includes('memory.max'));
});

t.test('external: a runtime that would pass over a field is not asked', async (t) => {
  const old = externalMaker({
    name: 'old',
    path: '/usr/bin/old',
    version: 'old 1.1',
    recursiveReadOnlyMounts: false,
    specification: [1, 0],
  });
  for (const field of ['ioPriority', 'scheduler', 'netDevices', 'memoryPolicy'] as const)
    await t.rejects(
      prepare(old, { [field]: everything[field] }),
      { code: status.UNIMPLEMENTED, message: /^runtime handler "old" does not know it \(old 1\.1\): .*, set by test/ },
      field,
    );
  await t.resolves(prepare(old, { hooks: everything.hooks ?? {}, sysctl: everything.sysctl ?? {} }));
});

t.test('what an adjuster gets wrong is told with its name', async (t) => {
  const mount = { type: 'bind', source: '/srv', options: ['rbind', 'suid'] };
  for (const maker of [nativeMaker, newest])
    await t.rejects(prepare(maker, { mounts: { '/m': mount } }), {
      code: status.INVALID_ARGUMENT,
      message: /unknown option: "suid".*adjusted by test/,
    });
});
