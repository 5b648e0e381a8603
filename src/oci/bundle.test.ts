import t from 'tap';
import { buildSpec } from './build-spec.js';
import { type BundleContext, bundlePlan, bundleSpec, runtimeProcessPlan, specText } from './bundle.js';
import { containerConfig, resources, securityContext, specInput } from './spec-input.fixture.js';

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
  const bundle = bundleSpec(spec, context);
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
  const [score, , process] = runtimeProcessPlan(spec.process, 7, ['id'], true);
  t.same(score, { op: 'oom-score-adj', value: 7 });
  const { args, env, terminal } = JSON.parse(process?.op === 'runtime-process' ? process.json : '{}');
  t.match({ args, terminal }, { args: ['id'], terminal: true });
  t.ok(env.includes('TERM=xterm'));
  t.end();
});

t.test('config.json has 64-bit numbers where the specification wants them, and strings elsewhere', (t) => {
  const seccomp = {
    defaultAction: 'SCMP_ACT_ERRNO' as const,
    architectures: [],
    flags: [],
    syscalls: [
      {
        names: ['clone'],
        action: 'SCMP_ACT_ALLOW' as const,
        args: [{ index: 0, value: '18446744073709551615', valueTwo: '0', op: 'SCMP_CMP_MASKED_EQ' as const }],
      },
    ],
  };
  const built = buildSpec(specInput());
  const env = ['JSON={"value":"1"}'];
  const spec = {
    ...built,
    process: { ...built.process, env },
    annotations: { value: '1' },
    linux: { ...built.linux, seccomp },
  };
  const text = specText(spec);
  t.match(text, '"value":18446744073709551615,"valueTwo":0');
  const read = JSON.parse(text);
  t.same(read.process.env, env);
  t.same(read.annotations, { value: '1' });
  t.same(read.linux.maskedPaths, built.linux.maskedPaths);
  const plain = { ...built, linux: { ...built.linux } };
  delete plain.linux.seccomp;
  t.same(JSON.parse(specText(plain)), JSON.parse(JSON.stringify(plain)), 'without a filter it is plain JSON');
  t.end();
});
