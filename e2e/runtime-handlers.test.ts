import { status } from '@grpc/grpc-js';
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { cgroupValue, containerInfo } from './harness/cgroup.js';
import { faultyRuntimes } from './harness/faulty-runtimes.js';
import { type Node, startNode } from './harness/node.js';
import { OWN_NETWORK, Pod, type ContainerOptions, readLog } from './harness/pod.js';
import { until } from './harness/wait.js';

const MIB = 1 << 20;
const HOST_ID = 231_072;
const MAPPING = [{ containerId: 0, hostId: HOST_ID, length: 65_536 }];
const IDMAP = { uidMappings: MAPPING, gidMappings: MAPPING };
const OWN_USERNS = {
  securityContext: {
    namespaceOptions: {
      ...OWN_NETWORK.securityContext.namespaceOptions,
      usernsOptions: { mode: 'POD' as const, uids: MAPPING, gids: MAPPING },
    },
  },
};
const RUNTIMES = { runc: '/usr/sbin/runc', crun: '/usr/bin/crun' };
const exec = promisify(execFile);
let node: Node;

t.before(async () => {
  node = await startNode(t, { runtimes: { ...RUNTIMES, ...(await faultyRuntimes(t, RUNTIMES.runc)) } });
});

const textOf = async (pod: Pod, id: string): Promise<string[]> =>
  (await readLog((await pod.status(id)).logPath).catch(() => [])).map(({ text }) => text);

const startUp = async (pod: Pod, script: string, over: ContainerOptions = {}): Promise<string> => {
  const id = await pod.start(node.busybox, { command: ['sh', '-c', script], ...over });
  await until('the program to be up', async () => (await textOf(pod, id)).includes('up'));
  return id;
};

const namespace = (pid: number, kind: string): Promise<string> => readlink(`/proc/${pid}/ns/${kind}`);

t.test('Status lists every handler, and an unknown one is refused', async (t) => {
  const { cri } = node.daemon;
  const { runtimeHandlers } = await cri.status({});
  const names = runtimeHandlers.map(({ name }) => name);
  for (const name of ['', 'native', 'runc', 'crun']) t.ok(names.includes(name), `"${name}"`);
  for (const { name, features } of runtimeHandlers)
    if (name === '' || name === 'native') t.equal(features?.recursiveReadOnlyMounts, true);
  await t.rejects(Pod.run(node.daemon, {}, 'kata'), { code: status.INVALID_ARGUMENT, details: /"kata".*"runc"/ });
});

/** What is mounted on the host, but for what tests beside this one mount in directories of theirs. */
const mounts = async (): Promise<string[]> => {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.filter((line) => !line.includes('/jangada-e2e-') || line.includes(node.daemon.home));
};

for (const handler of ['native', 'runc', 'crun']) {
  const run = (over = {}) => Pod.run(node.daemon, over, handler);

  t.test(`${handler}: from CREATED to gone, with log, exit code and nothing mounted on the host`, async (t) => {
    const { cri } = node.daemon;
    const before = await mounts();
    const pod = await run();
    t.equal((await cri.podSandboxStatus({ podSandboxId: pod.id })).status?.runtimeHandler, handler);
    const id = await pod.create(node.busybox, {
      command: ['sh', '-c', 'echo out; echo err >&2; printf "no newline"; exit 7'],
      env: { COLOUR: 'red' },
    });
    t.match(await pod.status(id), { state: 'CONTAINER_CREATED', startedAt: '0' });
    await cri.startContainer({ containerId: id });
    const exited = await pod.exited(id);
    t.match(exited, { exitCode: 7, reason: 'Error' });
    const lines = (await readLog(exited.logPath)).map(({ stream, tag, text }) => `${stream} ${tag} ${text}`);
    t.same(lines.toSorted(), ['stderr F err', 'stdout F out', 'stdout P no newline'].toSorted());
    t.same(await mounts(), before);
    for (let round = 0; round < 5; round++) {
      const { status: done } = await pod.complete(node.busybox, { command: ['true'] });
      t.match(done, { exitCode: 0, reason: 'Completed' }, 'a program that ends at once');
    }
    await cri.removeContainer({ containerId: id });
    await pod.remove();
  });

  t.test(`${handler}: the process has the identity, the limits and the namespaces that were asked for`, async (t) => {
    const { cri } = node.daemon;
    const pod = await run({ linux: OWN_NETWORK, hostname: 'mast' });
    const id = await startUp(pod, 'echo up; exec sleep 1000', {
      env: { COLOUR: 'red' },
      workingDir: '/home',
      resources: { memoryLimitInBytes: String(64 * MIB), cpuShares: '512', oomScoreAdj: 321 },
      security: {
        runAsUser: { value: '1000' },
        supplementalGroups: ['7'],
        noNewPrivs: true,
        readonlyRootfs: true,
        seccomp: { profileType: 'RuntimeDefault' },
        capabilities: { dropCapabilities: ['ALL'] },
      },
    });
    const { pid } = await containerInfo(cri, id);
    const facts = await readFile(`/proc/${pid}/status`, 'utf8');
    t.match(facts, /^Uid:\t1000\t1000\t1000\t1000$/m);
    t.match(facts, /^Groups:\t7( 1000)?( 2000)?/m);
    t.match(facts, /^CapBnd:\t0{16}$/m);
    t.match(facts, /^NoNewPrivs:\t1$/m);
    t.match(facts, /^Seccomp:\t2$/m);
    t.equal(await readFile(`/proc/${pid}/oom_score_adj`, 'utf8'), '321\n');
    t.equal(await cgroupValue(cri, id, 'memory/memory.limit_in_bytes', 'memory.max'), String(64 * MIB));
    t.match(await cgroupValue(cri, id, 'cpu/cpu.shares', 'cpu.weight'), /^(512|59)$/);
    const { info } = await cri.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
    const supervisor = (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
    for (const kind of ['net', 'ipc', 'uts'])
      t.equal(await namespace(pid, kind), await namespace(supervisor, kind), `${kind} of the pod`);
    for (const kind of ['mnt', 'pid', 'cgroup'])
      t.not(await namespace(pid, kind), await namespace(supervisor, kind), `${kind} of its own`);

    const kept = /^(Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp|Umask):.*$/gm;
    const second = await pod.exec(id, 'cat', '/proc/self/status');
    t.same(second.stdout.match(kept), facts.match(kept), 'an exec gets what the first process got');
    t.same(await pod.exec(id, 'sh', '-c', 'echo $COLOUR $PWD $(hostname); cat /proc/self/oom_score_adj'), {
      code: 0,
      stdout: 'red /home mast\n321\n',
      stderr: '',
    });
    t.not((await pod.exec(id, 'touch', '/x')).code, 0, 'the root is read-only');
    t.match((await pod.exec(id, 'cat', '/proc/mounts')).stdout, /^\S+ \/dev\/shm tmpfs/m);
    t.match(
      (await pod.exec(id, 'ip', 'addr', 'show', 'eth0')).stdout,
      new RegExp(node.daemon.network?.prefix ?? 'none'),
    );
    await cri.updateContainerResources({ containerId: id, linux: { memoryLimitInBytes: String(96 * MIB) } });
    t.equal(await cgroupValue(cri, id, 'memory/memory.limit_in_bytes', 'memory.max'), String(96 * MIB), 'an update');
    await pod.remove();
  });

  t.test(`${handler}: exec: streams, exit code, timeout, unknown command`, async (t) => {
    const { cri } = node.daemon;
    const pod = await run();
    const id = await startUp(pod, 'echo up; exec sleep 1000');
    t.same(await pod.exec(id, 'sh', '-c', 'echo out; echo err >&2; exit 3'), {
      code: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    const { stdout } = await pod.exec(id, 'sh', '-c', 'yes 0123456789abcde | head -n 65536');
    t.equal(stdout.length, 1 << 20, 'large output');
    await t.rejects(cri.execSync({ containerId: id, cmd: ['sleep', '4321'], timeout: 2 }), {
      code: status.DEADLINE_EXCEEDED,
    });
    t.notMatch((await pod.exec(id, 'ps', '-o', 'args')).stdout, /sleep 4321/, 'what was too slow is dead');
    await t.rejects(cri.execSync({ containerId: id, cmd: ['/not/there'], timeout: 20 }), {
      code: status.INVALID_ARGUMENT,
      details: /\/not\/there/,
    });
    const many = await Promise.all(['a', 'b', 'c', 'd'].map((word) => pod.exec(id, 'echo', word)));
    t.same(
      many.map(({ stdout: said }) => said),
      ['a\n', 'b\n', 'c\n', 'd\n'],
      'several at once',
    );
    await pod.remove();
  });

  t.test(`${handler}: the grace period, the kill, an out-of-memory kill`, async (t) => {
    const { cri } = node.daemon;
    const pod = await run();
    const polite = await startUp(pod, "trap 'exit 42' TERM; echo up; while :; do sleep 0.05; done");
    await cri.stopContainer({ containerId: polite, timeout: 60 });
    t.match(await pod.status(polite), { exitCode: 42 });
    const deaf = await startUp(pod, "trap '' TERM; sleep 1000 & echo up; while :; do sleep 1000; done");
    await cri.stopContainer({ containerId: deaf, timeout: 1 });
    t.match(await pod.status(deaf), { exitCode: 137 });
    const created = await pod.create(node.busybox);
    await cri.stopContainer({ containerId: created, timeout: 60 });
    t.match(await pod.status(created), { state: 'CONTAINER_EXITED', startedAt: '0' });
    const hungry = await pod.start(node.busybox, {
      command: ['/memory', '1000'],
      resources: { memoryLimitInBytes: String(32 * MIB) },
    });
    t.match(await pod.exited(hungry), { reason: 'OOMKilled', exitCode: 137 });
    await pod.remove();
  });

  t.test(`${handler}: a terminal`, async (t) => {
    const pod = await run();
    const { status: done, output } = await pod.complete(node.busybox, {
      command: ['sh', '-c', 'tty; stty size; echo $TERM; [ -t 2 ] && echo terminal'],
      tty: true,
    });
    t.match(done, { exitCode: 0 });
    t.match(output.replaceAll('\r', ''), /^\/dev\/(pts\/0|console)\n24 80\nxterm\nterminal\n$/);
    await pod.remove();
  });

  t.test(`${handler}: PID namespaces of pod, target and node`, async (t) => {
    const options = (pid: 'POD' | 'CONTAINER') => ({
      securityContext: { namespaceOptions: { network: 'NODE' as const, ipc: 'POD' as const, pid } },
    });
    const shared = await run({ linux: options('POD') });
    const first = await startUp(shared, 'echo up; exec sleep 1001');
    await startUp(shared, 'echo up; exec sleep 1002');
    t.match(
      (await shared.exec(first, 'ps', '-o', 'args')).stdout,
      /sleep 1002/,
      'containers of the pod see each other',
    );
    await shared.remove();
    const pod = await run({ linux: options('CONTAINER') });
    const own = await startUp(pod, 'echo up; exec sleep 1003');
    const target = await startUp(pod, 'echo up; exec sleep 1004', {
      security: { namespaceOptions: { pid: 'TARGET', targetId: own } },
    });
    t.match((await pod.exec(target, 'ps', '-o', 'args')).stdout, /sleep 1003/, 'sees the process of its target');
    const together = { security: { namespaceOptions: { pid: 'POD' as const } } };
    await startUp(pod, 'echo up; exec sleep 1005', together);
    const sharing = await startUp(pod, 'echo up; exec sleep 1006', together);
    const { stdout: seen } = await pod.exec(sharing, 'ps', '-o', 'args');
    t.match(seen, /sleep 1005/, 'those that ask for the namespace of the pod share one, although the pod did not');
    t.notMatch(seen, /sleep 1003/);
    await pod.remove();
  });

  t.test(`${handler}: a user namespace of the pod: root inside is nobody outside`, async (t) => {
    const { cri, home } = node.daemon;
    const pod = await run({ linux: OWN_USERNS });
    const volume = await mkdtemp(join(home, 'mapped-'));
    await chmod(volume, 0o755);
    await writeFile(join(volume, 'private'), 'secret', { mode: 0o600 });
    const hidden = await mkdtemp(join(home, 'hidden-')); // 0700: nobody but root of the node gets here by name
    await writeFile(join(hidden, 'file'), 'found', { mode: 0o644 });
    const id = await startUp(pod, 'echo up; exec sleep 1000', {
      mounts: [
        { hostPath: volume, containerPath: '/mapped', ...IDMAP },
        { hostPath: volume, containerPath: '/plain' },
        { hostPath: volume, containerPath: '/readonly', readonly: true, ...IDMAP },
        { hostPath: join(hidden, 'file'), containerPath: '/hidden' },
      ],
    });
    const { pid } = await containerInfo(cri, id);
    t.match(await readFile(`/proc/${pid}/status`, 'utf8'), new RegExp(`^Uid:\\t${HOST_ID}\\t${HOST_ID}\\t`, 'm'));
    const { info } = await cri.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
    const supervisor = (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
    t.equal(await namespace(pid, 'net'), await namespace(supervisor, 'net'), 'in the network of the pod');
    const shell = async (script: string) => (await pod.exec(id, 'sh', '-c', `exec 2>&1; ${script}`)).stdout;
    t.same((await shell('cat /proc/self/uid_map')).trim().split(/\s+/).map(Number), [0, HOST_ID, 65_536]);
    t.equal(await shell('stat -c %u:%g /etc/passwd; touch /made; stat -c %u:%g /made'), '0:0\n0:0\n');
    t.equal(await shell('cat /mapped/private; stat -c %u /mapped/private'), 'secret0\n', 'a volume with owners mapped');
    t.match(await shell('stat -c %u /plain/private; cat /plain/private'), /^65534\n.*denied/, 'and one without');
    t.match(await shell('touch /readonly/x'), /Read-only/);
    t.equal(await shell('cat /hidden'), 'found', 'of a directory that it could not reach');
    t.equal(
      await shell('touch /dev/shm/x && cat /etc/hosts >/dev/null && hostname'),
      `${pod.config.hostname || hostname()}\n`,
    );
    const other = await pod.complete(node.busybox, { command: ['ls', '/dev/shm'] });
    t.equal(other.output, 'x\n', 'shared memory of the pod');
    t.match((await pod.complete(node.busybox, { command: ['sh', '-c', 'exit 9'] })).status, { exitCode: 9 });
    await pod.remove();
    const host = { namespaceOptions: { ...OWN_USERNS.securityContext.namespaceOptions, network: 'NODE' as const } };
    const onHost = await run({ linux: { securityContext: host } });
    const { output } = await onHost.complete(node.busybox, {
      command: ['sh', '-c', 'cat /proc/self/uid_map; ls /sys'],
    });
    t.match(output, new RegExp(`0 +${HOST_ID} +65536[^]*class\n`), "with the node's network");
    await onHost.remove();
  });

  t.test(`${handler}: images as volumes, and parts of them`, async (t) => {
    const image = { image: node.busybox };
    for (const linux of [undefined, OWN_USERNS]) {
      const pod = await run(linux ? { linux } : {});
      const { output } = await pod.complete(node.busybox, {
        command: [
          'sh',
          '-c',
          'exec 2>&1; ls /whole/etc; ls /part; stat -c %u /whole/etc/passwd; touch /whole/x; touch /part/x',
        ],
        mounts: [
          { hostPath: '', containerPath: '/whole', image, readonly: true },
          { hostPath: '', containerPath: '/part', image, imageSubPath: 'etc', readonly: true },
        ],
      });
      t.match(output, /^(passwd|group)$/m);
      t.match(output, /^0$/m, 'its owners are those of the image');
      t.match(output, /\/whole\/x: Read-only[^]*\/part\/x: Read-only/);
      const missing = pod.create(node.busybox, {
        mounts: [{ hostPath: '', containerPath: '/part', image, imageSubPath: 'no/such', readonly: true }],
      });
      await t.rejects(missing, { code: status.INVALID_ARGUMENT, details: /no\/such/ });
      await pod.remove();
    }
  });

  t.test(`${handler}: a command that is not there is an error that names it, and leaves nothing`, async (t) => {
    const { cri } = node.daemon;
    const pod = await run();
    const start = pod.start(node.busybox, { command: ['/no/such/program'] });
    await t.rejects(start, { code: status.INVALID_ARGUMENT, details: /\/no\/such\/program/ });
    for (const { id } of (await cri.listContainers({ filter: { podSandboxId: pod.id } })).containers)
      t.match(await pod.status(id), { state: 'CONTAINER_EXITED', exitCode: 128, reason: 'StartError' });
    const missing = pod.create(node.busybox, { mounts: [{ hostPath: '/proc/no/volume', containerPath: '/v' }] });
    await t.rejects(missing, { code: status.INVALID_ARGUMENT, details: /\/proc\/no\/volume/ });
    t.match(await pod.complete(node.busybox, { command: ['echo', 'well'] }), { output: 'well\n' });
    await pod.remove();
  });

  t.test(`${handler}: a mount that comes later reaches a volume that asked for it`, async (t) => {
    const source = await mkdtemp(join(node.daemon.home, 'slave-'));
    await mkdir(join(source, 'later'));
    await exec('mount', ['--bind', source, source]);
    await exec('mount', ['--make-shared', source]);
    t.teardown(() => exec('umount', ['-R', '-l', source]));
    const pod = await run();
    const id = await startUp(pod, 'echo up; exec sleep 1000', {
      mounts: [
        { hostPath: source, containerPath: '/private' },
        { hostPath: source, containerPath: '/slave', propagation: 'PROPAGATION_HOST_TO_CONTAINER' },
      ],
    });
    await exec('mount', ['-t', 'tmpfs', 'tmpfs', join(source, 'later')]);
    await writeFile(join(source, 'later', 'arrived'), '');
    await until('propagation', async () => (await pod.exec(id, 'ls', '/slave/later')).stdout === 'arrived\n');
    t.equal((await pod.exec(id, 'ls', '/private/later')).stdout, '');
    await pod.remove();
  });

  t.test(`${handler}: a supervisor that is killed takes its containers along`, async (t) => {
    const pod = await run();
    const running = await startUp(pod, "trap '' TERM; echo up; while :; do sleep 1000; done");
    const created = await pod.create(node.busybox);
    const { info } = await node.daemon.cri.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
    process.kill((JSON.parse(info['info'] ?? '{}') as { pid: number }).pid, 'SIGKILL');
    for (const id of [running, created]) t.match(await pod.exited(id), { exitCode: 137 });
    await pod.remove();
  });

  t.test(`${handler}: a daemon that was killed finds everything`, async (t) => {
    const { daemon } = node;
    const pod = await run();
    const id = await startUp(pod, 'echo up; i=0; while :; do echo $((i=i+1)); sleep 0.01; done');
    const created = await pod.create(node.busybox, { command: ['sh', '-c', 'echo late; exit 5'] });
    const before = await pod.status(id);
    await daemon.kill();
    const { logPath } = before;
    const seen = (await readLog(logPath)).length;
    await until('more lines', async () => (await readLog(logPath)).length > seen);
    await daemon.up();
    t.same(await pod.status(id), before);
    t.match(await pod.exec(id, 'echo', 'still here'), { stdout: 'still here\n' });
    await daemon.cri.startContainer({ containerId: created });
    t.match(await pod.exited(created), { exitCode: 5 });
    await daemon.cri.stopContainer({ containerId: id, timeout: 0 });
    const lines = await textOf(pod, id);
    t.same(lines, ['up', ...lines.slice(1).map((_, index) => String(index + 1))], 'the log has no gap');
    await daemon.cri.removeContainer({ containerId: id });
    const state = join(daemon.state, 'pods', pod.id, 'runtime');
    t.same(await readdir(state).catch(() => []), [], 'the runtime has forgotten its containers');
    await pod.remove();
  });
}

t.test('a runtime that fails, lies or hangs costs its own pod an error and nobody anything else', async (t) => {
  const { cri } = node.daemon;
  const fails = async (handler: string, expected: { code: status; details: RegExp }) => {
    const pod = await Pod.run(node.daemon, {}, handler);
    await t.rejects(pod.create(node.busybox), expected, handler);
    t.same((await cri.listContainers({ filter: { podSandboxId: pod.id } })).containers, [], 'and leaves nothing');
    await pod.remove();
  };
  const endsAllTheSame = async () => {
    const pod = await Pod.run(node.daemon, {}, 'hangs-at-delete');
    const id = await startUp(pod, 'echo up; exec sleep 1000');
    await cri.stopContainer({ containerId: id, timeout: 0 });
    t.match(await pod.status(id), { exitCode: 137 });
    await pod.remove();
  };
  await Promise.all([
    fails('mute', { code: status.INTERNAL, details: /ended with code 3 and said nothing/ }),
    fails('lies', { code: status.INTERNAL, details: /out of order/ }),
    fails('hangs-at-create', { code: status.DEADLINE_EXCEEDED, details: /not built within/ }),
    endsAllTheSame(),
  ]);
});

t.test('what a runtime cannot do is refused, and Status says so before', async (t) => {
  const { runtimeHandlers } = await node.daemon.cri.status({});
  const features = new Map(runtimeHandlers.map((handler) => [handler.name, handler.features]));
  const mounts = [{ hostPath: '/tmp', containerPath: '/m', readonly: true, recursiveReadOnly: true }];
  for (const name of Object.keys(RUNTIMES)) {
    const pod = await Pod.run(node.daemon, {}, name);
    const create = pod.create(node.busybox, { mounts });
    if (features.get(name)?.recursiveReadOnlyMounts) await create;
    else
      await t.rejects(create, {
        code: status.INVALID_ARGUMENT,
        details: /no recursive_read_only \(crun version [\d.]+\): mount \/m/,
      });
    await pod.remove();
    t.ok(features.get(name)?.userNamespaces, `${name} has user namespaces`);
  }
  t.notOk(features.get('featureless')?.userNamespaces);
  await t.rejects(Pod.run(node.daemon, { linux: OWN_USERNS }, 'featureless'), {
    code: status.INVALID_ARGUMENT,
    details: /"featureless" has no user namespaces \(featureless 0\.1\)/,
  });
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
