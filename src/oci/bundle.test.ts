import t from 'tap';
import { buildSpec, requestedPrivateMounts } from './build-spec.js';
import { type BundleContext, bundlePlan, bundleSpec, runtimeProcessPlan } from './bundle.js';
import {
  containerConfig,
  mount,
  namespaceOptions,
  resources,
  securityContext,
  specInput,
} from './spec-input.fixture.js';

const context: BundleContext = {
  runtime: '/usr/sbin/runc',
  root: '/run/jangada/pods/p/runtime',
  bundle: '/run/jangada/pods/p/containers/c',
  cgroupOps: [],
  lowerDirs: ['/layers/a'],
  upper: '/c/upper',
  work: '/c/work',
  namespaces: { network: '/run/netns/p', ipc: '/proc/1/ns/ipc', uts: '/proc/1/ns/uts', pid: '/proc/2/ns/pid' },
  pid: 'pod',
  hidden: '/sys/fs/cgroup/unified',
};

const withResources = (over: Parameters<typeof resources>[0]) =>
  containerConfig({ linux: { resources: resources(over), securityContext: securityContext() } });

t.test('the same container, with namespaces by path and without what we do ourselves', (t) => {
  const input = specInput({ config: withResources({ memoryLimitInBytes: '1048576', oomScoreAdj: '-5' }) });
  const spec = buildSpec(input);
  const bundle = bundleSpec(spec, { ...context, privateMounts: requestedPrivateMounts(input) });
  t.match(spec, { process: { oomScoreAdj: -5 }, linux: { resources: { memory: { limit: 1048576 } } } });
  t.notOk('oomScoreAdj' in bundle.process);
  t.same(bundle.linux.resources, { devices: spec.linux.resources.devices });
  const paths = Object.fromEntries(bundle.linux.namespaces.map(({ type, path }) => [type, path]));
  t.same(paths, { ...context.namespaces, mount: undefined, cgroup: undefined });
  t.match(
    bundle.mounts.find(({ destination }) => destination === '/dev/shm'),
    { type: 'bind', source: `${context.bundle}/shm` },
  );
  t.same(
    bundle.mounts.map(({ type }) => type).filter((type) => type === 'shm' || type === 'cgroup2'),
    [],
    'nothing that only our supervisor knows',
  );
  t.same(bundle.linux.seccomp, spec.linux.seccomp);
  const own = bundleSpec(spec, { ...context, pid: 'container' });
  t.same(
    own.linux.namespaces.find(({ type }) => type === 'pid'),
    { type: 'pid' },
    'a PID namespace of its own is made by the runtime',
  );
  t.end();
});

t.test('the plan has what is left to us', (t) => {
  const spec = buildSpec(specInput({ config: { ...withResources({ oomScoreAdj: '7' }), tty: true } }));
  t.same(
    bundlePlan(spec, context).map(({ op }) => op),
    ['oom-score-adj', 'runtime', 'rootfs', 'terminal'],
  );
  const [score, , process] = runtimeProcessPlan(spec.process, ['id'], true);
  t.same(score, { op: 'oom-score-adj', value: 7 });
  const { args, env, terminal } = JSON.parse(process?.op === 'runtime-process' ? process.json : '{}');
  t.match({ args, terminal }, { args: ['id'], terminal: true });
  t.ok(env.includes('TERM=xterm'));
  t.end();
});

t.test('a user namespace: joined by name, volumes and layers prepared for who cannot reach them', (t) => {
  const userns = { map: { uid: 100_000, gid: 200_000, length: 65_536 }, base: '/layers' };
  const idmap = {
    uidMappings: [{ hostId: 100_000, containerId: 0, length: 65_536 }],
    gidMappings: [{ hostId: 200_000, containerId: 0, length: 65_536 }],
  };
  const mounts = [
    mount({ hostPath: '/volume', containerPath: '/v', readonly: true, mountOptions: ['noexec'], ...idmap }),
    mount({ hostPath: '/plain', containerPath: '/p', propagation: 'PROPAGATION_HOST_TO_CONTAINER' }),
  ];
  const config = containerConfig({
    mounts,
    linux: {
      resources: resources(),
      securityContext: securityContext({ namespaceOptions: namespaceOptions({ pid: 'CONTAINER' }) }),
    },
  });
  const spec = buildSpec(specInput({ config, userns: userns.map }));
  const mapped = { ...context, pid: 'container' as const, userns };
  const bundle = bundleSpec(spec, mapped);
  t.same(
    bundle.linux.namespaces.find(({ type }) => type === 'user'),
    { type: 'user', path: `${context.bundle}/userns` },
  );
  t.match(bundle.linux.uidMappings, [{ containerID: 0, hostID: 100_000, size: 65_536 }]);
  const binds = bundlePlan(spec, mapped).filter((op) => op.op === 'bind');
  const placeOf = (destination: string) => bundle.mounts.find((one) => one.destination === destination);
  t.same(placeOf('/v')?.options, ['rbind', 'rprivate', 'ro', 'noexec'], 'restrictions are said where it is bound');
  t.notOk(placeOf('/v')?.uidMappings, 'owners are mapped already');
  for (const [destination, source, idmapped, propagation] of [
    ['/v', '/volume', true, 'private'],
    ['/p', '/plain', false, 'slave'],
    ['/etc/hosts', specInput().runtimeFiles.hosts, false, 'private'],
  ] as const) {
    const place = placeOf(destination)?.source ?? '';
    t.match(place, /^\/run\/jangada\/pods\/p\/containers\/c\/mounts\/\d+$/);
    t.same(
      binds.find((op) => op.destination === place),
      { op: 'bind', source, destination: place, flags: [], recursiveReadonly: false, propagation, idmap: idmapped },
    );
  }
  t.match(
    bundlePlan(spec, mapped).find(({ op }) => op === 'rootfs'),
    { base: '/layers' },
  );
  t.same(
    bundlePlan(spec, context).filter((op) => op.op === 'bind'),
    [],
    'without one the runtime binds by itself',
  );
  t.equal(placeOf('/sys')?.type, 'sysfs');
  const onNode = {
    ...spec,
    linux: { ...spec.linux, namespaces: spec.linux.namespaces.filter(({ type }) => type !== 'network') },
  };
  const sys = bundleSpec(onNode, mapped).mounts.find(({ destination }) => destination === '/sys');
  t.match(sys, { type: 'bind', source: '/sys' }, "with the node's network there is no sysfs of its own");
  t.ok(sys?.options.includes('ro'));
  t.end();
});

t.test('a scope is made by the runtime, and limited when it is there', (t) => {
  const spec = buildSpec(specInput());
  const scope = 'kubepods-pod1.slice:jangada:c';
  const bundle = bundleSpec(spec, { ...context, scope });
  t.equal(bundle.linux.cgroupsPath, scope);
  t.equal(bundle.annotations['run.oci.systemd.subgroup'], '', 'crun makes no cgroup of its own in it');
  t.match(
    bundlePlan(spec, { ...context, scope }).find(({ op }) => op === 'runtime'),
    { systemd: true },
  );
  t.equal(bundleSpec(spec, context).linux.cgroupsPath, spec.linux.cgroupsPath);
  t.notOk('systemd' in (bundlePlan(spec, context).find(({ op }) => op === 'runtime') ?? {}));
  t.end();
});

t.test('an image is a mount like any other to a runtime', (t) => {
  const mounts = [
    mount({
      image: { image: 'data', annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: '' },
      hostPath: '',
      containerPath: '/i',
      imageSubPath: 'etc',
      readonly: true,
    }),
  ];
  const imageLayers = new Map([['data', ['/layers/b', '/layers/a']]]);
  const input = specInput({ config: containerConfig({ mounts }), imageLayers });
  const spec = buildSpec(input);
  const whole = { ...context, privateMounts: requestedPrivateMounts(input) };
  const [image] = bundlePlan(spec, whole).filter((op) => op.op === 'image');
  t.match(image, { lower: ['/layers/b', '/layers/a'], subPath: 'etc' });
  const bundle = bundleSpec(spec, whole);
  t.strictSame(
    bundle.mounts.find(({ destination }) => destination === '/i'),
    {
      destination: '/i',
      type: 'bind',
      source: image?.destination,
      options: ['rbind', 'rprivate', 'ro', 'nosuid', 'nodev'],
    },
  );
  t.end();
});
