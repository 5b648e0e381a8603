import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { Daemon } from './harness/daemon.js';
import { buildImage } from './harness/image.js';
import { busyboxLayer, compile, programSource } from './harness/images.js';
import { buildLayer, directory, file } from './harness/layer.js';
import { processesOf } from './harness/leaks.js';
import { type Node, startNode } from './harness/node.js';
import { OWN_NETWORK, Pod, readLog } from './harness/pod.js';
import { textOf } from './harness/remote.js';
import { SpdyClient, upgrade } from './harness/spdy.js';
import { until } from './harness/wait.js';

/** These tests run where there is an ordinary user and a way out: the same file again, on a host of its own. */
const HOST = fileURLToPath(new URL('../../e2e/harness/ordinary-user.sh', import.meta.url));
if (!process.env['JANGADA_OUTSIDE'])
  process.exit(spawnSync(HOST, [process.execPath, ...process.argv.slice(1)], { stdio: 'inherit' }).status ?? 1);
// Not before: it would report on this process.
const { default: t } = await import('tap');

/** "raft" and its subordinate IDs, as ordinary-user.sh has them. */
const USER = 4242;
const SUBORDINATE = { first: 300_000, count: 65_536 };
/** Without subordinate IDs, or a name. */
const STRANGER = 4243;
const FOREVER = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'];
let node: Node;

t.before(async () => {
  node = await startNode(t, { rootless: true });
});

const hostUids = async (pid: number): Promise<number[]> =>
  (/^Uid:\s*(.*)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '').split('\t').map(Number);

const isOurs = (uid: number): boolean =>
  uid === USER || (uid >= SUBORDINATE.first && uid < SUBORDINATE.first + SUBORDINATE.count);

const pidOf = async (containerId: string): Promise<number> =>
  JSON.parse((await node.daemon.cri.containerStatus({ containerId, verbose: true })).info['info'] ?? '{}').pid;

t.test('nothing of it is root on the host: not the daemon, not a supervisor, not a privileged container', async (t) => {
  const pod = await Pod.run(node.daemon);
  const id = await pod.start(node.busybox, { command: FOREVER, security: { privileged: true } });
  t.equal((await pod.exec(id, 'id', '-u')).stdout, '0\n', 'inside it is root');
  t.same(await hostUids(await pidOf(id)), [USER, USER, USER, USER], 'outside it is the user');
  const uids = await Promise.all(
    (await processesOf(node.daemon.cgroup)).map(({ pid }) => hostUids(pid).catch(() => [])),
  );
  t.ok(uids.length > 4);
  t.same(
    uids.flat().filter((uid) => !isOurs(uid)),
    [],
  );
  await pod.remove();
});

t.test('status, and what a container is refused, are honest about limits', async (t) => {
  const { status: state } = await node.daemon.cri.status({});
  t.match(
    state?.conditions.find(({ type }) => type === 'RuntimeReady'),
    { status: true, reason: 'LimitsNotEnforced' },
  );
  const pod = await Pod.run(node.daemon);
  const id = await pod.start(node.busybox, { command: FOREVER, resources: { memoryLimitInBytes: String(64 << 20) } });
  await t.rejects(
    node.daemon.cri.updateContainerResources({ containerId: id, linux: { memoryLimitInBytes: String(32 << 20) } }),
    { code: status.FAILED_PRECONDITION, details: /no cgroups on this rootless node/ },
  );
  await node.daemon.cri.containerStats({ containerId: id });
  await node.daemon.cri.listPodSandboxStats({});
  await node.daemon.cri.listPodSandboxMetrics({});
  await pod.remove();
});

t.test('an image with many users, setuid, whiteouts and devices', async (t) => {
  const program = await compile(programSource('status'));
  const lower = await buildLayer([directory('old'), file('old/gone', 'x'), file('hidden', 'x')]);
  const upper = await buildLayer([
    file('suid', program, { mode: 0o4755 }),
    file('far', 'x', { uid: 65_535, gid: 65_535 }),
    file('hers', 'x', { uid: 1000, gid: 2000, mode: 0o640 }),
    file('.wh.hidden', ''),
    directory('old'),
    file('old/.wh..wh..opq', ''),
    { path: 'dev-of-the-image', type: 'character-device', device: [1, 3] },
  ]);
  const image = await node.provide(buildImage([await busyboxLayer(), lower, upper], {}), 'many');
  const pod = await Pod.run(node.daemon);
  const { output } = await pod.complete(image, {
    command: ['sh', '-c', 'stat -c "%n %u %g %a" /suid /far /hers; ls -a /old /hidden /dev-of-the-image 2>&1; id'],
    security: { runAsUser: { value: '1000' }, supplementalGroups: ['2000'] },
  });
  t.match(output, '/suid 0 0 4755\n/far 65535 65535 644\n/hers 1000 2000 640\n');
  t.match(output, /\/old:\n\.\n\.\.\n/, 'the opaque directory is empty');
  t.match(output, /\/hidden: No such file/);
  t.match(output, /\/dev-of-the-image: No such file/, 'nobody in a user namespace makes a device');
  t.match(output, /uid=1000\(user\) gid=1000\(user\) groups=1000\(user\),2000\(crew\)/);
  const suid = await pod.complete(image, { command: ['/suid'], security: { runAsUser: { value: '1000' } } });
  t.match(suid.output, /Uid:\t1000\t0\t0/, 'setuid root is root of the namespace');
  await t.rejects(pod.create(image, { command: FOREVER, security: { runAsUser: { value: '70000' } } }), {
    code: status.INVALID_ARGUMENT,
    details: /not among the 65537 IDs of this rootless node: user 70000; .*subuid/,
  });
  await pod.remove();
});

t.test('an image with an owner beyond the subordinate IDs is refused, and leaves nothing', async (t) => {
  const before = await node.daemon.stored();
  const layer = await buildLayer([file('far', 'x', { uid: 200_000, gid: 0 })]);
  const reference = await node.registry.push(buildImage([layer], {}), 'beyond', '1');
  await t.rejects(node.daemon.cri.pullImage({ image: { image: reference } }), {
    message: /not among the subordinate IDs of this user: owner 200000:0 of "far"/,
  });
  t.same(await node.daemon.stored(), before);
});

t.test('devices are the host’s, as far as their modes let the user', async (t) => {
  const pod = await Pod.run(node.daemon);
  const command = [
    'sh',
    '-c',
    'echo x >/dev/null && head -c 2 /dev/zero | wc -c; head -c 1 /dev/tun-of-host; mknod /x c 1 3',
  ];
  const devices = [{ hostPath: '/dev/net/tun', containerPath: '/dev/tun-of-host', permissions: 'rwm' }];
  const { output } = await pod.complete(node.busybox, { command, devices });
  t.match(output, /^2\n/);
  t.match(output, /File descriptor in bad state|tun-of-host/, 'it opens');
  t.match(output, /mknod: \/x: Operation not permitted/);
  await pod.remove();
});

t.test('PID namespaces: of the pod, of the node', async (t) => {
  for (const pid of ['POD', 'NODE'] as const) {
    const pod = await Pod.run(node.daemon, {
      linux: { securityContext: { namespaceOptions: { network: 'NODE', pid, ipc: 'POD' } } },
    });
    const id = await pod.start(node.busybox, { command: FOREVER });
    const { stdout, code } = await pod.exec(id, 'sh', '-c', 'readlink /proc/1/exe; ls -d /proc/[0-9]* | wc -l');
    t.equal(code, 0, pid);
    t.match(stdout, pid === 'POD' ? /^[1-9]\n/m : /^\d{2,}\n$/m, pid);
    await pod.remove();
  }
});

t.test('logs, exec, and the end by SIGTERM', async (t) => {
  const pod = await Pod.run(node.daemon);
  const id = await pod.start(node.busybox, { command: ['sh', '-c', `echo one; echo two >&2; ${FOREVER[2]}`] });
  const { logPath } = await pod.status(id);
  await until('two lines', async () => (await readLog(logPath)).length === 2);
  t.same((await readLog(logPath)).map(({ stream, text }) => `${stream} ${text}`).sort(), ['stderr two', 'stdout one']);
  t.match(await pod.exec(id, 'sh', '-c', 'echo out; exit 3'), { code: 3, stdout: 'out\n' });
  await node.daemon.cri.stopContainer({ containerId: id, timeout: 20 });
  t.match(await pod.status(id), { state: 'CONTAINER_EXITED', exitCode: 0 });
  await node.daemon.cri.removeContainer({ containerId: id });
  await pod.remove();
});

t.test('a pod network inside, the outside beyond it, and ports forwarded from the host', async (t) => {
  const pod = await Pod.run(node.daemon, { linux: OWN_NETWORK });
  const { status: state } = await node.daemon.cri.podSandboxStatus({ podSandboxId: pod.id });
  t.ok(state?.network?.ip.startsWith(`${node.daemon.network?.prefix}.`));
  const id = await pod.start(node.busybox, { command: ['/serve', '7000', '4', 'echo'] });
  await until('the server to listen', async () => (await readLog((await pod.status(id)).logPath)).length > 0);
  const [host, port] = node.registry.host.split(':');
  // It does not end its half first: pasta of Debian 12 then forgets the other.
  const get = `(printf 'GET /v2/ HTTP/1.0\\r\\n\\r\\n'; sleep 1) | nc ${host} ${port} | head -1`;
  t.match((await pod.exec(id, 'sh', '-c', get)).stdout, /200 OK/, 'the registry outside');
  const resolver = await pod.exec(id, 'cat', '/etc/resolv.conf');
  t.match(resolver.stdout, /^nameserver 169\.254\.1\.1\n/, 'the resolver of pasta');

  const { url } = await node.daemon.cri.portForward({ podSandboxId: pod.id, port: [] });
  const client = new SpdyClient((await upgrade(url, ['portforward.k8s.io'])).socket);
  const headers = { port: '7000', requestid: '0' };
  const error = await client.open({ streamtype: 'error', ...headers });
  error.end();
  const data = await client.open({ streamtype: 'data', ...headers });
  data.end('through pasta, the daemon and the pod');
  t.equal(await textOf(data), 'through pasta, the daemon and the podend');
  client.destroy();
  await pod.remove();
});

t.test('the daemon is killed: pods run on, and the next one is in the same namespaces', async (t) => {
  const pod = await Pod.run(node.daemon, { linux: OWN_NETWORK });
  const id = await pod.start(node.busybox, {
    command: ['sh', '-c', 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done'],
  });
  const pid = await pidOf(id);
  const namespaces = join(node.daemon.state, 'namespaces.pid');
  const before = await readFile(namespaces, 'utf8');
  await node.daemon.kill();
  await node.daemon.up();
  t.equal(await readFile(namespaces, 'utf8'), before);
  t.equal(await pidOf(id), pid);
  t.match(await pod.status(id), { state: 'CONTAINER_RUNNING' });
  const count = (await readLog((await pod.status(id)).logPath)).length;
  await until('the log to go on', async () => (await readLog((await pod.status(id)).logPath)).length > count);
  const numbers = (await readLog((await pod.status(id)).logPath)).map(({ text }) => Number(text));
  t.same(
    numbers,
    numbers.map((_, index) => index),
    'without a gap',
  );
  t.match(await pod.exec(id, 'id', '-u'), { stdout: '0\n' });
  await pod.remove();
});

t.test('CVE-2019-5736, staged: who is out of the container is the ordinary user', async (t) => {
  const place = join(node.daemon.home, 'escape');
  await mkdir(place);
  await chmod(place, 0o1777);
  await writeFile(join(place, 'of-root'), 'untouched', { mode: 0o644 });
  await writeFile(join(place, 'secret'), 'secret', { mode: 0o600 });
  const pod = await Pod.run(node.daemon);
  // All of the host, by a privileged container on the node's PID namespace: more than any escape gives.
  const id = await pod.start(node.busybox, {
    command: FOREVER,
    mounts: [{ hostPath: '/', containerPath: '/host' }],
    security: { privileged: true },
  });
  const attempt = async (script: string) => (await pod.exec(id, 'sh', '-c', script)).code;
  const program = `/host${new URL('../native/jangada-pod', import.meta.url).pathname}`;
  t.not(await attempt(`echo x >> ${program}`), 0, 'the runtime’s own program');
  t.not(await attempt(`echo x > /proc/$PPID/exe`), 0);
  t.not(await attempt(`echo x >> /host${place}/of-root`), 0);
  t.not(await attempt(`cat /host${place}/secret`), 0);
  t.not(await attempt('cat /host/etc/shadow'), 0);
  t.not(await attempt('chroot /host sh -c "echo x > /etc/cron.d/x"'), 0);
  t.not(await attempt('echo 1 > /host/proc/sys/kernel/sysrq'), 0, 'a parameter of the host');
  t.equal(await attempt(`chmod 4755 /bin/busybox && cp -p /bin/busybox /host${place}/suid`), 0);
  t.equal((await stat(join(place, 'suid'))).uid, USER, 'what it leaves on the host is the user’s');
  t.equal(await readFile(join(place, 'of-root'), 'utf8'), 'untouched');
  await pod.remove();
});

t.test('without a runtime directory it does not start, and says what to do', async (t) => {
  await t.rejects(Daemon.start(t, { rootless: true, network: false, env: { XDG_RUNTIME_DIR: '' } }), {
    message: /not set: XDG_RUNTIME_DIR; log in through systemd-logind/,
  });
});

t.test('without subordinate IDs there is a single one: images of root alone', async (t) => {
  const daemon = await Daemon.start(t, { rootless: true, network: false, user: STRANGER });
  await daemon.trust(node.registry);
  await t.rejects(daemon.cri.pullImage({ image: { image: node.busybox } }), {
    message: /not among the subordinate IDs/,
  });
  const layer = await buildLayer([file('status', await compile(programSource('status')), { mode: 0o755 })]);
  const reference = await node.registry.push(buildImage([layer], {}), 'alone', '1');
  await daemon.cri.pullImage({ image: { image: reference } });
  const pod = await Pod.run(daemon);
  const { output, status: ended } = await pod.complete(reference, { command: ['/status'] });
  t.equal(ended.exitCode, 0);
  t.match(output, /Uid:\t0\t0\t0/);
  await pod.remove();
  await daemon.assertNothingLeft(t);
});

t.test('nothing is left', async (t) => {
  await node.daemon.assertNothingLeft(t);
});
