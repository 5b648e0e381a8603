import { status } from '@grpc/grpc-js';
import { readFile } from 'node:fs/promises';
import t from 'tap';
import { containerInfo } from './harness/cgroup.js';
import { freeze, processesAt } from './harness/freezer.js';
import { processesOf } from './harness/leaks.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';
import { until } from './harness/wait.js';

let node: Node;
let pod: Pod;
let id: string;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
  id = await pod.start(node.busybox, {
    env: { COLOUR: 'red' },
    workingDir: '/home',
    security: { runAsUser: { value: '1000' } },
  });
});

t.test('output of both streams and the exit code come back', async (t) => {
  t.same(await pod.exec(id, 'sh', '-c', 'echo out; echo err >&2; exit 3'), {
    code: 3,
    stdout: 'out\n',
    stderr: 'err\n',
  });
  t.same(await pod.exec(id, 'true'), { code: 0, stdout: '', stderr: '' });
  t.match(await pod.exec(id, 'sh', '-c', 'kill -9 $$'), { code: 137 });
});

t.test('large output is complete', async (t) => {
  const { stdout } = await pod.exec(id, 'sh', '-c', 'yes 0123456789abcde | head -n 65536');
  t.equal(stdout.length, 1 << 20);
  t.equal(stdout.replaceAll('0123456789abcde\n', ''), '', 'and in order');
});

t.test(
  'an exec gets what the first process got: user, groups, environment, directory, capabilities, seccomp, cgroup',
  async (t) => {
    const kept = /^(Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp|Seccomp_filters|Umask):.*$/gm;
    const secured = await pod.start(node.busybox, {
      security: {
        runAsUser: { value: '33' },
        supplementalGroups: ['7'],
        noNewPrivs: true,
        seccomp: { profileType: 'RuntimeDefault' },
        capabilities: { dropCapabilities: ['ALL'] },
      },
    });
    for (const container of [id, secured]) {
      const [first, second] = [
        await pod.exec(container, 'cat', '/proc/1/status'),
        await pod.exec(container, 'cat', '/proc/self/status'),
      ];
      t.same(second.stdout.match(kept), first.stdout.match(kept));
      t.equal(
        (await pod.exec(container, 'cat', '/proc/self/cgroup')).stdout,
        (await pod.exec(container, 'cat', '/proc/1/cgroup')).stdout,
      );
      t.equal(
        (await pod.exec(container, 'cat', '/proc/self/limits')).stdout,
        (await pod.exec(container, 'cat', '/proc/1/limits')).stdout,
      );
      t.equal(
        (await pod.exec(container, 'cat', '/proc/self/oom_score_adj')).stdout,
        (await pod.exec(container, 'cat', '/proc/1/oom_score_adj')).stdout,
      );
    }
    t.same(await pod.exec(id, 'sh', '-c', 'echo $COLOUR; pwd; id -u'), {
      code: 0,
      stdout: 'red\n/home\n1000\n',
      stderr: '',
    });
  },
);

t.test('a timeout is DEADLINE_EXCEEDED and the process is killed', async (t) => {
  const { cri } = node.daemon;
  await t.rejects(cri.execSync({ containerId: id, cmd: ['sh', '-c', 'echo early; sleep 4242'], timeout: 1 }), {
    code: status.DEADLINE_EXCEEDED,
  });
  const left = async () => !(await pod.exec(id, 'ps', '-o', 'args')).stdout.includes('sleep 4242\n');
  t.ok(await until('the end of the process', left));
});

const running = async (command: string): Promise<number> =>
  (await processesOf(node.daemon.cgroup)).filter((one) => one.command === command).length;

t.test('a command whose client has left is ended, and so many of them keep no probe from being run', async (t) => {
  const { cri } = node.daemon;
  const neighbour = await pod.start(node.busybox);
  const gone = new AbortController();
  const cmd = ['sleep', '47110'];
  const execs = Array.from({ length: 130 }, () =>
    cri.execSync({ containerId: id, cmd, timeout: 0 }, { signal: gone.signal }).catch(() => undefined),
  );
  await until('many of them', async () => (await running('sleep 47110')) >= 90, 60_000);
  for (const one of [id, neighbour]) t.match(await pod.exec(one, 'true'), { code: 0 });
  gone.abort();
  await Promise.all(execs);
  await until('the end of all', async () => (await running('sleep 47110')) === 0);

  await t.rejects(cri.execSync({ containerId: id, cmd: ['sleep', '47111'], timeout: 0 }, { deadlineMs: 500 }));
  await until('the end of one past its deadline', async () => (await running('sleep 47111')) === 0);
});

t.test('every timeout that fits its field is taken; none, and less than that, is none', async (t) => {
  const { cri } = node.daemon;
  for (const timeout of ['-1', '-9223372036854775808', '0', '4294968', '9223372036854775807'])
    t.match(await cri.execSync({ containerId: id, cmd: ['true'], timeout }), { exitCode: 0 }, timeout);
});

t.test('an exec into a frozen container is refused, and leaves nothing in it', async (t) => {
  const { cri } = node.daemon;
  const frozen = await pod.start(node.busybox);
  const { cgroupPath } = await containerInfo(cri, frozen);
  const thaw = await freeze(cgroupPath);
  await t.rejects(cri.execSync({ containerId: frozen, cmd: ['true'], timeout: 1 }), {
    code: status.FAILED_PRECONDITION,
    details: /^frozen: cgroup /,
  });
  t.equal((await processesAt(cgroupPath)).length, 1);
  await thaw();
  t.match(await pod.exec(frozen, 'true'), { code: 0 });
});

t.test('a grandchild that keeps the pipes open does not hold the answer back', async (t) => {
  const begin = Date.now();
  t.same(await pod.exec(id, 'sh', '-c', 'sleep 1000 & echo done'), { code: 0, stdout: 'done\n', stderr: '' });
  t.ok(Date.now() - begin < 10_000);
});

t.test('a command that cannot be run says why', async (t) => {
  const { cri } = node.daemon;
  const run = (...cmd: string[]) => cri.execSync({ containerId: id, cmd, timeout: 5 });
  await t.rejects(run('/no/such/command'), {
    message: /no such file.*: exec of "\/no\/such\/command" in container [0-9a-f]+$/s,
  });
  await t.rejects(run('/etc/passwd'), { message: /permission denied.*\/etc\/passwd/is });
  await t.rejects(run(), { code: status.INVALID_ARGUMENT });
});

t.test('many at once', async (t) => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => pod.exec(id, 'sh', '-c', `echo ${i}; exit ${i}`)),
  );
  t.same(
    answers,
    Array.from({ length: 20 }, (_, i) => ({ code: i, stdout: `${i}\n`, stderr: '' })),
  );
});

t.test('in a container that does not run it is refused', async (t) => {
  const created = await pod.create(node.busybox);
  await t.rejects(pod.exec(created, 'true'), { code: status.FAILED_PRECONDITION, details: /CREATED/ });
  await pod.complete(node.busybox, { command: ['true'] });
  await t.rejects(pod.exec('0'.repeat(64), 'true'), { code: status.NOT_FOUND });
});

t.test('CVE-2022-31030: endless output is cut, and the daemon keeps neither it nor the command waiting', async (t) => {
  const rss = async () => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${node.daemon.pid}/status`, 'utf8'))?.[1]);
  const before = await rss();
  const { exitCode, stdout, stderr } = await node.daemon.cri.execSync({
    containerId: id,
    cmd: ['/flood', '256', '64'],
    timeout: 50,
  });
  t.equal(exitCode, 0, 'the command ran to its end');
  t.ok(stdout.length + stderr.length <= 16 << 20, `at most 16 MiB come back: ${stdout.length} + ${stderr.length}`);
  t.ok(stdout.length >= 1 << 20 && stderr.length >= 1 << 20, 'of both streams');
  t.ok((await rss()) - before < 200 * 1024, 'memory of the daemon stays bounded');
});

t.test('CVE-2016-9962, CVE-2019-5736: a process that watches every exec sees nothing of the runtime', async (t) => {
  for (const capabilities of [{}, { addCapabilities: ['SYS_PTRACE'] }]) {
    const watched = await pod.start(node.busybox, { command: ['/scan', '6'], security: { capabilities } });
    await until('the scanner', async () => (await pod.exec(watched, 'cat', '/proc/1/comm')).stdout === 'scan\n');
    while ((await pod.status(watched)).state === 'CONTAINER_RUNNING') {
      // The scanner may end between the question and the exec.
      await Promise.all([1, 2, 3, 4].map(() => pod.exec(watched, 'true').catch(() => undefined)));
    }
    const log = await readFile((await pod.status(watched)).logPath, 'utf8');
    t.match(log, /scanned [1-9]\d* times/, 'it did look');
    // SYS_PTRACE opens every process to the container; the program it then meets is a sealed copy in memory that leads nowhere.
    const found = (log.match(/FOUND.*/g) ?? []).filter(
      (line) => !/^FOUND exe \S+ -> \/memfd:/.test(line) || !('addCapabilities' in capabilities),
    );
    t.same(found, [], JSON.stringify(capabilities));
  }
});

t.test('the scanner finds what there is to find', async (t) => {
  const seeing = await pod.start(node.busybox, {
    command: ['/scan', '2'],
    security: { privileged: true, namespaceOptions: { pid: 'NODE' } },
  });
  await pod.exited(seeing);
  t.match(await readFile((await pod.status(seeing)).logPath, 'utf8'), /FOUND/);
});

t.test('an exec is accounted to the container', async (t) => {
  const { cgroupPath } = await containerInfo(node.daemon.cri, id);
  const { cri } = node.daemon;
  const running = cri.execSync({ containerId: id, cmd: ['sleep', '2.5'], timeout: 10 });
  const found = await until(
    'the exec in the cgroup',
    async () =>
      (
        await readFile(`/sys/fs/cgroup/pids${cgroupPath}/pids.current`, 'utf8').catch(() =>
          readFile(`/sys/fs/cgroup${cgroupPath}/pids.current`, 'utf8'),
        )
      ).trim() !== '1',
  );
  t.ok(found);
  await running;
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
