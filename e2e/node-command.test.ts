import t from 'tap';
import { jangada, spawnJangada } from './harness/command.js';
import { type Node, startNode } from './harness/node.js';
import { OWN_NETWORK, Pod } from './harness/pod.js';
import { until } from './harness/wait.js';

let node: Node;
let pod: Pod;
let running: string;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon, {
    metadata: { name: 'web-0', namespace: 'sea', uid: 'u1', attempt: 0 },
    linux: OWN_NETWORK,
  });
  running = await pod.start(node.busybox, {
    metadata: { name: 'app', attempt: 0 },
    command: ['sleep', '1000'],
    resources: { memoryLimitInBytes: String(64 << 20) },
  });
});

const json = async (verb: string, ...args: string[]): Promise<unknown> => {
  const { out } = await jangada(node.daemon, verb, '-o', 'json', ...args);
  return JSON.parse(out);
};

t.test('pods and containers are listed, and the node is shown at a glance', async (t) => {
  await pod.complete(node.busybox, { metadata: { name: 'once', attempt: 0 }, command: ['true'] });
  const listed = await jangada(node.daemon, 'ps');
  t.match(listed, {
    code: 0,
    err: '',
    out: /^NAMESPACE +POD .*\nsea +web-0 +app +[0-9a-f]{12} +running +\d+s +0 +.*busybox:1\n$/,
  });
  t.match(await jangada(node.daemon, 'ps', '--all'), { out: /once .* exited/ });
  t.match(await json('ps'), [{ namespace: 'sea', pod: 'web-0', container: 'app', id: running, podId: pod.id }]);

  await t.rejects(pod.create('nothing/there:1', { metadata: { name: 'lacking', attempt: 0 } }));
  const { code, out } = await jangada(node.daemon, 'status');
  t.equal(code, 0);
  t.match(out, /NetworkReady +yes\nStorageReady +yes\npods +1 ready\ncontainers +1 exited, 1 running\nimages +1, /);
  t.match(out, /CreateContainer +lacking +image is not on this node/);
  t.match(await json('status'), { pods: { ready: 1 }, disk: { free: Number }, failures: [{ name: 'lacking' }] });
});

t.test('what the kernel enforces is explained, and where the time of a start went', async (t) => {
  t.match(await json('explain', 'app'), {
    id: running,
    name: 'app',
    uses: [{ what: 'memory bytes', limit: 64 << 20 }],
    process: { capabilities: { effective: ['CAP_CHOWN'] }, noNewPrivileges: false, seccomp: /filter|off/ },
    timeline: [
      { what: 'CreateContainer', phases: [{ what: 'plan' }, { what: 'set-up' }] },
      { what: 'StartContainer', phases: [{ what: 'plugins' }, { what: 'execve' }] },
    ],
  });
  const { out } = await jangada(node.daemon, 'explain', 'web-0/app');
  t.match(out, /^container app, running: it runs, since /);
  t.match(out, /\nmemory bytes +\S+ kB +67.1 MB\n|\nmemory bytes +\S+ MB +67.1 MB\n/);
  t.match(out, /\nnet +net:\[\d+\] +its pod\n/);
  t.match(out, /\npid +pid:\[\d+\] +nobody\n/);
  t.match(out, /\n\/proc +proc +rw,nosuid,nodev,noexec/);
  t.match(out, /CreateContainer app +[\d.]+ ms\n {2}plan +█/);
  const whole = await jangada(node.daemon, 'explain', 'sea/web');
  t.match(whole.out, /^pod sea\/web-0, ready\n/);
  t.match(whole.out, /RunPodSandbox web-0 .*\n {2}supervisor +█.*\n {2}network +█/);
  const { info } = await node.daemon.cri.containerStatus({ containerId: running, verbose: true });
  t.match(JSON.parse(info['info'] ?? ''), { timeline: [{ what: 'CreateContainer' }, { what: 'StartContainer' }] });
});

t.test('why a container has ended', async (t) => {
  const ends: Array<[name: string, options: object, why: RegExp]> = [
    [
      'failing',
      { command: ['sh', '-c', 'echo out of fish >&2; exit 3'] },
      /by itself with exit code 3\n[^]*stderr F out of fish\n/,
    ],
    ['lost', { command: ['sh', '-c', 'nonsense'] }, /did not find a command/],
    ['shot', { command: ['sh', '-c', 'sh -c "kill -SEGV \\$\\$"; exit $?'] }, /SIGSEGV/],
    [
      'greedy',
      { command: ['tail', '/dev/zero'], resources: { memoryLimitInBytes: String(16 << 20) } },
      /memory ran out: its limit is 16777216 bytes\nwhat to do: /,
    ],
  ];
  await Promise.all(
    ends.map(async ([name, options, why]) => {
      await pod.complete(node.busybox, { metadata: { name, attempt: 0 }, ...options });
      t.match(await jangada(node.daemon, 'why', name), { code: 0, out: why, err: '' }, name);
    }),
  );
  const stubborn = await pod.start(node.busybox, {
    metadata: { name: 'stubborn', attempt: 0 },
    command: ['sh', '-c', "trap '' TERM; echo up; while :; do read -t 1 line; done"],
    stdin: true,
  });
  await node.daemon.cri.stopContainer({ containerId: stubborn, timeout: 1 });
  t.match(await jangada(node.daemon, 'why', 'stubborn'), {
    out: /SIGTERM was sent, it had not ended in its grace period/,
  });
  t.match(await json('why', 'app'), { id: running, state: 'CONTAINER_RUNNING', cause: /^it runs, since/ });
});

t.test('what happens is told as it happens', async (t) => {
  const child = spawnJangada(node.daemon, 'events');
  t.teardown(() => child.kill('SIGKILL'));
  let told = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (told += part));
  // The first event may come before anybody listens.
  await until('an event', async () => {
    await pod.complete(node.busybox, { command: ['sh', '-c', 'exit 3'] });
    return told.includes('stopped');
  });
  t.match(told, /Z {2}stopped {3}[0-9a-f]{12} {2}sea\/web-0\/container-\d+ {2}exit code 3 \(Error\)\n/);
  const ended = new Promise((resolve) => child.once('close', resolve));
  await node.daemon.down();
  t.equal(await ended, 1, 'it ends with the daemon');
  await node.daemon.up();
});

t.test('what is not there is said, and so is a daemon that is not', async (t) => {
  t.match(await jangada(node.daemon, 'why', 'nothing'), {
    code: 1,
    out: '',
    err: /^jangada: no such container: "nothing"/,
  });
  t.match(await jangada(node.daemon, 'explain', 'zzz'), { code: 1 });
  await pod.remove();
  t.match(await jangada(node.daemon, 'ps'), { code: 0, out: /^NAMESPACE .*\n$/ });
  await node.daemon.down();
  for (const verb of ['ps', 'status']) {
    const { code, out, err } = await jangada(node.daemon, verb);
    t.match({ code, out }, { code: 1, out: '' });
    t.match(err, /^jangada: .*\n$/);
  }
  await node.daemon.up();
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
