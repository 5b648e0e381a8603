import t from 'tap';
import { encodePlan, ExecPlanTemplate } from '../supervisor/plan-encoding.js';
import { buildSpec } from './build-spec.js';
import { compileExecPlan, compilePlan, type PlanContext } from './compile-plan.js';
import { PLAN_CODES, type PlanOp } from '../gen/plan.js';
import type { OciSpec } from './spec.js';
import { containerConfig, mount, resources, securityContext, specInput } from './spec-input.fixture.js';
import type { SpecInput } from './spec-input.js';

const seccompFilter = new Uint8Array(16);
const confined = { seccomp: { profileType: 'RuntimeDefault', localhostRef: '' } } as const;

const spec = (
  config: Parameters<typeof containerConfig>[0] = {},
  context: Parameters<typeof securityContext>[0] = confined,
  more: Partial<SpecInput> = {},
) =>
  buildSpec(
    specInput({
      config: containerConfig({
        linux: { resources: resources(), securityContext: securityContext(context) },
        ...config,
      }),
      ...more,
    }),
  );
const compile = (from: OciSpec, over: Partial<PlanContext> = {}) =>
  compilePlan(from, {
    cgroupOps: [{ op: 'cgroup-dir', path: '/sys/fs/cgroup/x', version: 'v2', role: 'leaf' }],
    lowerDirs: ['/layers/top', '/layers/base'],
    upper: '/c/upper',
    work: '/c/work',
    pid: { pid: 'container' },
    seccompFilter: from.linux.seccomp && seccompFilter,
    ...over,
  });
const only = <K extends PlanOp['op']>(ops: PlanOp[], kind: K) =>
  ops.filter((op): op is Extract<PlanOp, { op: K }> => op.op === kind);

t.test('a plan is in the order the supervisor accepts, and complete', async (t) => {
  const plan = compile(spec({ tty: true, mounts: [mount()] }));
  const codes = plan.map(({ op }) => PLAN_CODES[op]);
  t.same(
    codes,
    codes.toSorted((a, b) => a - b),
  );
  t.equal(plan.at(-1)?.op, 'exec');
  t.doesNotThrow(() => encodePlan(plan));
  for (const kind of [
    'namespaces',
    'rootfs',
    'cwd',
    'credentials',
    'seccomp',
    'exec',
    'terminal',
    'oom-score-adj',
  ] as const)
    t.equal(only(plan, kind).length, 1, kind);
});

t.test('root file system, namespaces and limits', async (t) => {
  const plan = compile(spec({}, { ...confined, readonlyRootfs: true }), { pid: { pid: 'target', targetId: 'abc' } });
  t.match(only(plan, 'rootfs'), [{ lower: ['/layers/top', '/layers/base'], readonly: true, propagation: 'private' }]);
  t.match(only(plan, 'namespaces'), [{ pid: 'target', targetId: 'abc', hostCgroup: false }]);
  t.same(only(plan, 'rlimit'), [{ op: 'rlimit', resource: 7, soft: 1024n, hard: 524288n }]);
  t.match(only(compile(spec({}, { privileged: true })), 'namespaces'), [{ hostCgroup: true }]);
});

t.test('mounts: flags apart from options, binds with propagation', async (t) => {
  const plan = compile(
    spec({
      mounts: [
        mount({ containerPath: '/a', propagation: 'PROPAGATION_HOST_TO_CONTAINER', mountOptions: ['noexec'] }),
        mount({ containerPath: '/b', readonly: true, recursiveReadOnly: true }),
      ],
    }),
  );
  t.match(
    only(plan, 'mount').find(({ destination }) => destination === '/dev'),
    { type: 'tmpfs', flags: ['nosuid', 'strictatime'], options: ['mode=755', 'size=65536k'] },
  );
  t.match(only(plan, 'mount').find(({ destination }) => destination === '/sys')?.flags, [
    'nosuid',
    'noexec',
    'nodev',
    'ro',
  ]);
  const binds = new Map(only(plan, 'bind').map((op) => [op.destination, op]));
  t.match(binds.get('/a'), { flags: ['noexec'], propagation: 'slave', recursiveReadonly: false });
  t.match(binds.get('/b'), { flags: ['ro'], propagation: 'private', recursiveReadonly: true });
  t.match(binds.get('/etc/hosts'), { source: '/run/j/hosts', flags: ['ro', 'nosuid', 'nodev', 'noexec'] });
  t.match(only(plan, 'rootfs'), [{ propagation: 'slave' }]);
});

t.test('/dev has nodes and links, unless the host’s directory is mounted over it', async (t) => {
  const own = compile(spec());
  t.equal(only(own, 'device').length, 6);
  t.same(
    only(own, 'symlink').map(({ destination, target }) => `${destination} ${target}`),
    [
      '/dev/fd /proc/self/fd',
      '/dev/stdin /proc/self/fd/0',
      '/dev/stdout /proc/self/fd/1',
      '/dev/stderr /proc/self/fd/2',
      '/dev/ptmx pts/ptmx',
    ],
  );
  const host = compile(spec({ mounts: [mount({ containerPath: '/dev', hostPath: '/dev' })] }));
  t.same([only(host, 'device'), only(host, 'symlink')], [[], []]);
  const covered = compile(spec({ mounts: [mount({ containerPath: '/dev/null' })] }));
  t.notOk(
    only(covered, 'device').some(({ destination }) => destination === '/dev/null'),
    'a mounted file is not made as a node',
  );
});

t.test('credentials are complete and exact', async (t) => {
  const context = {
    runAsUser: { value: '1000' },
    runAsGroup: { value: '1001' },
    supplementalGroups: ['7'],
    noNewPrivs: true,
    capabilities: { addCapabilities: [], dropCapabilities: ['ALL'], addAmbientCapabilities: ['NET_BIND_SERVICE'] },
  };
  t.same(only(compile(spec({}, context)), 'credentials'), [
    {
      op: 'credentials',
      uid: 1000,
      gid: 1001,
      groups: [1001, 7],
      bounding: 1n << 10n,
      effective: 1n << 10n,
      permitted: 1n << 10n,
      inheritable: 1n << 10n,
      ambient: 1n << 10n,
      noNewPrivileges: true,
      umask: 0o022,
    },
  ]);
});

t.test('CVE-2019-10144: an exec gets what pid 1 has', async (t) => {
  const from = spec(
    { envs: [{ key: 'A', value: Buffer.from('1') }], workingDir: '/w' },
    { ...confined, runAsUser: { value: '5' } },
  );
  from.process.apparmorProfile = 'mine';
  from.process.selinuxLabel = 'u:r:t:s0';
  const plan = compile(from);
  const exec = compileExecPlan(from, { argv: ['id'], tty: false, seccompFilter });
  t.doesNotThrow(() => new ExecPlanTemplate(exec));
  for (const kind of ['oom-score-adj', 'rlimit', 'cwd', 'apparmor', 'selinux', 'credentials', 'seccomp'] as const) {
    t.ok(only(plan, kind).length > 0, kind);
    t.same(only(exec, kind), only(plan, kind), kind);
  }
  t.match(only(exec, 'exec'), [{ argv: ['id'], env: only(plan, 'exec')[0]?.env }]);
  t.same(only(exec, 'terminal'), []);
});

t.test('an exec with a terminal has TERM, without changing that of the container', async (t) => {
  const env = (from: OciSpec) =>
    only(compileExecPlan(from, { argv: ['sh'], tty: true, seccompFilter }), 'exec')[0]?.env;
  t.ok(env(spec())?.includes('TERM=xterm'));
  t.same(
    env(spec({ envs: [{ key: 'TERM', value: Buffer.from('vt100') }] }))?.filter((entry) => entry.startsWith('TERM')),
    ['TERM=vt100'],
  );
});

t.test('a profile without its filter is an error, never a process without a filter', async (t) => {
  t.throws(() => compile(spec(), { seccompFilter: undefined }), { code: 13, message: /^seccomp profile without/ });
  t.throws(() => compileExecPlan(spec(), { argv: ['id'], tty: false }), { code: 13 });
  t.throws(() => compile(spec({}, {}), { seccompFilter }), { code: 13, message: /^seccomp filter without/ });
});

t.test('a plan survives the way through config.json', async (t) => {
  const from = spec({ mounts: [mount()] });
  t.same(compile(JSON.parse(JSON.stringify(from)) as OciSpec), compile(from));
});
