import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { MountFlag, PlanOp } from '../gen/plan.js';
import {
  encodeBundlePlan,
  encodePlan,
  encodeRuntimeProcessPlan,
  encodeUpdatePlan,
  ExecPlanTemplate,
} from './plan-encoding.js';
import { plans, transcript } from './released-supervisor.fixture.js';
import { connectSupervisor, type SupervisorExit } from './supervisor.js';

const GUARDED: readonly MountFlag[] = ['nosuid', 'nodev', 'noexec'];

const credentials: PlanOp = {
  op: 'credentials',
  uid: 1000,
  gid: 2 ** 32 - 2,
  groups: [5000, 7],
  bounding: 0xa80425fbn,
  effective: 1n,
  permitted: 2n ** 63n,
  inheritable: 0n,
  ambient: 4n,
  noNewPrivileges: true,
  umask: 0o27,
};
const score: PlanOp = { op: 'oom-score-adj', value: -998 };
const write: PlanOp = { op: 'cgroup-write', path: '/sys/fs/cgroup/pod/box/pids.max', value: '10', optional: true };
const terminal: PlanOp = { op: 'terminal', width: 80, height: 24 };
const cgroups: PlanOp[] = [
  { op: 'cgroup-dir', path: '/sys/fs/cgroup/pod', version: 'v1-cpuset', role: 'parent' },
  { op: 'cgroup-dir', path: '/sys/fs/cgroup/pod/box', version: 'v2', role: 'scope', controllers: ['cpu', 'pids'] },
  write,
  { op: 'cgroup-devices', path: '/sys/fs/cgroup/pod/box', program: new Uint8Array(16).fill(3) },
  score,
];
const label = 'system_u:object_r:t:s0';
const rootfs: PlanOp = {
  op: 'rootfs',
  lower: ['/l/2', '/l/1'],
  upper: '/l/upper',
  work: '/l/work',
  readonly: true,
  propagation: 'slave',
  base: '/l',
  label,
};
const volumes: PlanOp[] = [
  {
    op: 'bind',
    source: '/srv',
    destination: '/data',
    flags: ['ro', ...GUARDED, 'noatime'],
    recursiveReadonly: true,
    propagation: 'shared',
    idmap: true,
    label: 'l',
  },
  {
    op: 'image',
    lower: ['/l/2', '/l/1'],
    destination: '/volume',
    subPath: 'a/b',
    flags: ['ro', 'strictatime'],
    label,
  },
];
const process: PlanOp[] = [
  { op: 'rlimit', resource: 7, soft: 1024n, hard: 2n ** 64n - 1n },
  terminal,
  { op: 'cwd', path: '/work' },
  { op: 'apparmor', profile: 'p' },
  { op: 'selinux', label: 'l' },
  credentials,
  {
    op: 'seccomp',
    filter: new Uint8Array(16).fill(6),
    flags: ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'],
  },
  { op: 'exec', argv: ['/bin/é', ''], env: ['A=1', 'B=\u{1f40b}'] },
];
const container: PlanOp[] = [
  ...process,
  ...cgroups,
  { op: 'namespaces', pid: 'target', targetId: 'other', hostCgroup: true },
  rootfs,
  { op: 'mount', type: 'tmpfs', destination: '/dev', options: ['mode=755', 'size=1k'], flags: ['nosuid', 'relatime'] },
  ...volumes,
  {
    op: 'device',
    destination: '/dev/sda',
    type: 'b',
    major: 8,
    minor: 1,
    mode: 0o640,
    uid: 100_000,
    gid: 100_006,
  },
  { op: 'symlink', destination: '/dev/fd', target: '/proc/self/fd' },
  { op: 'mask', destination: '/proc/kcore' },
  { op: 'readonly', destination: '/proc/sys' },
];
const runtime: PlanOp = {
  op: 'runtime',
  path: '/usr/bin/runc',
  bundle: '/run/b/box',
  root: '/run/r',
  hidden: '/sys/fs/cgroup/unified',
  systemd: true,
};

t.test('a plan has the bytes that the released daemon gave it', async (t) => {
  const made: Record<keyof typeof plans, Uint8Array> = {
    container: encodePlan(container),
    bundle: encodeBundlePlan([...cgroups, runtime, rootfs, ...volumes, terminal]),
    process: new ExecPlanTemplate([score, ...process]).plan(['/bin/é', '']),
    update: encodeUpdatePlan([write]),
    'runtime-process': encodeRuntimeProcessPlan([score, terminal, { op: 'runtime-process', json: '{"args":["é"]}' }]),
  };
  for (const [name, bytes] of Object.entries(made))
    t.equal(Buffer.from(bytes).toString('hex'), plans[name as keyof typeof plans], name);
});

/** Plays the released supervisor: says what it said, as long as it is asked what it was asked. */
async function replay(t: Test): Promise<{ directory: string; left: () => number }> {
  const directory = await mkdtemp(join(tmpdir(), 'jangada-released-'));
  const script = [...transcript];
  const server = createServer((socket: Socket) => {
    let asked = '';
    socket.on('data', (chunk) => {
      asked += chunk.toString('hex');
      for (let next = script[0]; next?.[0] === 'daemon' && asked.length >= next[1].length; next = script[0]) {
        t.equal(asked.slice(0, next[1].length), next[1], 'a request has the bytes that it had');
        asked = asked.slice(next[1].length);
        script.shift();
        while (script[0]?.[0] === 'supervisor') socket.write(Buffer.from(script.shift()?.[1] ?? '', 'hex'));
      }
    });
  }).listen(join(directory, 'supervisor.sock'));
  await once(server, 'listening');
  t.teardown(async () => {
    server.close();
    await rm(directory, { recursive: true });
  });
  return { directory, left: () => script.length };
}

const at = '/tmp/jangada-recorded';
const none = { bounding: 0n, effective: 0n, permitted: 0n, inheritable: 0n, ambient: 0n };
const recordedProcess = (argv: string[]): PlanOp[] => [
  { op: 'cwd', path: '/' },
  { op: 'credentials', uid: 0, gid: 0, groups: [], ...none, noNewPrivileges: true, umask: 0o022 },
  { op: 'exec', argv, env: ['PATH=/bin'] },
];
const recordedPlan = (): Uint8Array =>
  encodePlan([
    { op: 'namespaces', pid: 'container', hostCgroup: true },
    {
      op: 'rootfs',
      lower: [`${at}/layer`],
      upper: `${at}/box/upper`,
      work: `${at}/box/work`,
      readonly: false,
      propagation: 'private',
    },
    { op: 'mount', type: 'proc', destination: '/proc', options: [], flags: GUARDED },
    { op: 'mount', type: 'tmpfs', destination: '/dev', options: ['mode=755'], flags: ['nosuid'] },
    {
      op: 'bind',
      source: `${at}/shared`,
      destination: '/host',
      flags: ['ro', 'nosuid'],
      recursiveReadonly: false,
      propagation: 'private',
    },
    { op: 'device', destination: '/dev/null', type: 'c', major: 1, minor: 3, mode: 0o666, uid: 0, gid: 0 },
    { op: 'symlink', destination: '/dev/fd', target: '/proc/self/fd' },
    { op: 'mask', destination: '/proc/kcore' },
    ...recordedProcess(['/bin/cat']),
  ]);

t.test('a supervisor of the release before is understood from its first word to its last', async (t) => {
  const { directory, left } = await replay(t);
  const exits: SupervisorExit[] = [];
  let exited: () => void = () => undefined;
  const ended = new Promise<void>((done) => {
    exited = done;
  });
  const onExit = (exit: SupervisorExit) => {
    exits.push(exit);
    exited();
  };
  const noStreams = () => Promise.resolve(new Int32Array());
  const pod = await connectSupervisor(directory, { onExit, onClose: () => undefined }, noStreams);
  t.teardown(() => pod.close());
  t.ok(pod.pid > 0);
  const { podInitPid } = await pod.sandbox({
    hostname: 'pod-host',
    ownNetwork: true,
    ownIpc: true,
    sharedPid: false,
    netnsPath: '',
    sysctls: ['kernel.msgmax=9999'],
    userns: undefined,
    mountLabel: '',
  });
  t.equal(podInitPid, 0);
  t.ok((await pod.sharePid(new Uint8Array())) > 0);
  t.ok((await pod.hold('box')) > 0);
  await pod.release('box');
  const logPath = `${at}/logs/box.log`;
  const { pid } = await pod.create({ id: 'box', logPath, stdin: true, stdinOnce: false, plan: recordedPlan() });
  const { startedAt } = await pod.start('box');
  const template = new ExecPlanTemplate(recordedProcess([]));
  const command = template.plan(['/bin/sh', '-c', 'echo out; echo err >&2; exit 3']);
  const done = await pod.exec('box', command, { timeoutMs: 10_000, captureLimit: 65_536 });
  t.same(
    { ...done, stdout: String(done.stdout), stderr: String(done.stderr) },
    {
      exitCode: 3,
      timedOut: false,
      stdout: 'out\n',
      stderr: 'err\n',
    },
  );
  const streams = { stdin: false, stdout: true, stderr: true };
  const { session } = await pod.streams.exec('box', template.plan(['/bin/sh', '-c', 'exit 4']), streams);
  t.equal(await pod.streams.wait(session), 4);
  await pod.streams.attach('box', { stdin: true, stdout: true, stderr: false });
  await t.rejects(pod.streams.resize('box', 0, 80, 24), { code: 'ENOTTY', step: 'resize', isAnswer: true });
  await pod.reopenLog('box');
  await t.rejects(pod.streams.connect(1), { code: 'ECONNREFUSED' });
  await pod.update(
    'box',
    encodeUpdatePlan([{ op: 'cgroup-write', path: '/sys/fs/cgroup/none/memory.max', value: '1', optional: true }]),
  );
  const alive = await pod.list();
  t.match(alive, { sandbox: true, containers: [{ id: 'box', state: 'running', pid, startedAt, exitedAt: 0n }] });
  await pod.signal('box', 10);
  await pod.streams.closeStdin('box');
  await ended;
  t.match(exits, [{ id: 'box', exitCode: 0, oom: false, message: '' }]);
  await pod.kill('box');
  t.match((await pod.list()).containers, [{ id: 'box', state: 'exited', pid: 0, exitedAt: exits[0]?.exitedAt }]);
  await pod.remove('box');
  await t.rejects(pod.start('gone'), { code: 'ESRCH' });
  await pod.shutdown();
  t.equal(left(), 0, 'all of it was said');
});
