import t from 'tap';
import type { UserNamespace__Output } from '../gen/runtime/v1/UserNamespace.js';
import { buildSpec } from './build-spec.js';
import { compilePlan } from './compile-plan.js';
import type { PlanOp } from '../gen/plan.js';
import {
  containerConfig,
  hostFacts,
  mount,
  namespaceOptions,
  resources,
  securityContext,
  specInput,
} from './spec-input.fixture.js';
import { checkMapped, checkSameUserNamespace, isIdMapped, podUserNamespace } from './userns.js';

const mapping = (hostId = 100_000, length = 65_536, containerId = 0) => ({ hostId, containerId, length });
const userns = (over: Partial<UserNamespace__Output> = {}): UserNamespace__Output => ({
  mode: 'POD',
  uids: [mapping()],
  gids: [mapping(200_000)],
  ...over,
});
const of = (usernsOptions: UserNamespace__Output | null, over = {}) =>
  podUserNamespace(namespaceOptions({ usernsOptions, ...over }));
const MAP = { uid: 100_000, gid: 200_000, length: 65_536 };

t.test('the mapping of a pod', async (t) => {
  t.same(of(userns()), MAP);
  for (const none of [null, userns({ mode: 'NODE', uids: [], gids: [] })]) t.equal(of(none), undefined);
  t.equal(podUserNamespace(undefined), undefined);
  t.same(of(userns({ uids: [mapping(1, 4_294_967_294)], gids: [mapping(1, 4_294_967_294)] }))?.length, 4_294_967_294);
});

t.test('what no pod can have', async (t) => {
  for (const [message, over] of [
    [/uids/, { uids: [] }],
    [/gids/, { gids: [] }],
    [/exactly one/, { uids: [mapping(), mapping(300_000, 10, 65_536)] }],
    [/container ID 0/, { uids: [mapping(100_000, 65_536, 1)] }],
    [/lengths/, { gids: [mapping(200_000, 10)] }],
    [/range/, { uids: [mapping(100_000, 0)] }],
    [/range/, { uids: [mapping(4_294_967_295, 1)] }],
    [/range/, { uids: [mapping(4_294_967_200, 65_536)] }],
    [/root/, { uids: [mapping(0)] }],
    [/mode CONTAINER/, { mode: 'CONTAINER' }],
    [/mode TARGET/, { mode: 'TARGET' }],
    [/mode NODE/, { mode: 'NODE' }],
  ] as const)
    t.throws(() => of(userns(over as Partial<UserNamespace__Output>)), { code: 3, message });
  for (const kind of ['pid', 'ipc'] as const)
    t.throws(() => of(userns(), { [kind]: 'NODE' }), { code: 3, message: new RegExp(`${kind} NODE`) });
  t.same(of(userns(), { network: 'NODE' }), MAP, "the node's network is allowed");
});

t.test('a container says what its pod says', async (t) => {
  const pod = of(userns());
  for (const same of [null, undefined, userns()]) t.doesNotThrow(() => checkSameUserNamespace(pod, same));
  for (const other of [userns({ mode: 'NODE', uids: [], gids: [] }), userns({ uids: [mapping(1)] })])
    t.throws(() => checkSameUserNamespace(pod, other), { code: 3, message: /not the pod's/ });
  t.throws(() => checkSameUserNamespace(undefined, userns()), { code: 3 });
});

t.test('mounts and identities', async (t) => {
  const mappings = { uidMappings: [mapping()], gidMappings: [mapping(200_000)] };
  t.equal(isIdMapped(mappings, MAP, '/a'), true);
  t.equal(isIdMapped({ uidMappings: [], gidMappings: [] }, MAP, '/a'), false);
  t.throws(() => isIdMapped(mappings, undefined, '/a'), { code: 3 });
  t.throws(() => isIdMapped({ ...mappings, gidMappings: [] }, MAP, '/a'), { code: 3 });
  t.throws(() => isIdMapped({ ...mappings, uidMappings: [mapping(7)] }, MAP, '/a'), { code: 3 });
  t.doesNotThrow(() => checkMapped(65_535, 'user', MAP));
  t.doesNotThrow(() => checkMapped(65_536, 'user', undefined));
  t.throws(() => checkMapped(65_536, 'user', MAP), { code: 3, message: /user 65536/ });
});

t.test('specification and plan', async (t) => {
  const mappings = { uidMappings: [mapping()], gidMappings: [mapping(200_000)] };
  const config = containerConfig({
    mounts: [mount(mappings), mount({ containerPath: '/plain' })],
    devices: [{ hostPath: '/dev/fuse', containerPath: '/dev/fuse', permissions: 'rwm' }],
    linux: { resources: resources(), securityContext: securityContext({ privileged: true }) },
  });
  const device = { path: '/dev/fuse', type: 'c', major: 10, minor: 229, mode: 0o600, uid: 0, gid: 44 } as const;
  const host = hostFacts({ capabilities: 1n });
  const spec = buildSpec(specInput({ config, userns: MAP, host, hostDevices: [device] }));
  t.ok(spec.linux.namespaces.some(({ type }) => type === 'user'));
  t.ok(
    spec.linux.namespaces.some(({ type }) => type === 'cgroup'),
    'privileged or not',
  );
  t.same(spec.linux.uidMappings, [{ containerID: 0, hostID: 100_000, size: 65_536 }]);
  t.ok(spec.process.capabilities.bounding.length > 30, 'capabilities are not those of the host');
  const plan = compilePlan(spec, {
    cgroupOps: [],
    lowerDirs: ['/root/layers/a/fs'],
    upper: '/root/c/upper',
    work: '/root/c/work',
    pid: { pid: 'container' },
    userns: { map: MAP, base: '/root' },
  });
  const at = (destination: string) =>
    plan.find((op) => 'destination' in op && op.destination === destination) as PlanOp;
  t.match(
    plan.find(({ op }) => op === 'rootfs'),
    { base: '/root' },
  );
  t.match([at('/data'), at('/plain')], [{ idmap: true }, { idmap: false }]);
  t.match(at('/dev/null'), { uid: 100_000, gid: 200_000 }, "the container's root owns the usual nodes");
  t.match(at('/dev/fuse'), { uid: 0, gid: 44 }, 'others belong to whom they belong');
  t.match(at('/dev/pts'), { options: ['newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=200005'] });
});
