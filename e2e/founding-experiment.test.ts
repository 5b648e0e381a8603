import { readdir, readFile } from 'node:fs/promises';
import t from 'tap';
import { cgroupValue, containerInfo } from './harness/cgroup.js';
import { Daemon } from './harness/daemon.js';
import { debianImage } from './harness/images.js';
import { OWN_NETWORK, Pod, readLog } from './harness/pod.js';
import { startRegistry } from './harness/registry.js';
import { PATIENCE, until } from './harness/wait.js';

// A Debian root file system made with debootstrap, as an image in a real registry, run as a container with 256 CPU shares, 100 MiB of
// memory and 100 processes: what a container is, in one test.
const RESOURCES = { cpuShares: '256', memoryLimitInBytes: String(100 << 20), unified: { 'pids.max': '100' } };

let daemon: Daemon;
let image: string;
let pod: Pod;
let id: string;

t.before(async () => {
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  daemon = await Daemon.start(t);
  await daemon.trust(registry);
  image = await registry.push(await debianImage(), 'debian', 'bookworm');
  await daemon.cri.pullImage({ image: { image } });
  pod = await Pod.run(daemon, { hostname: 'raft', linux: OWN_NETWORK });
  id = await pod.start(image, {
    command: ['bash', '-c', 'echo "Debian $(cat /etc/debian_version) on $(hostname)"; exec sleep 10000'],
    resources: RESOURCES,
  });
});

t.test('it says what it is, in its log', async (t) => {
  const { logPath } = await pod.status(id);
  const line = await until('a line', async () => (await readLog(logPath).catch(() => []))[0]);
  t.match(line, { stream: 'stdout', tag: 'F', text: /^Debian 12\.\d+ on raft$/ });
});

t.test('the limits are what the kernel has', async (t) => {
  t.equal(await cgroupValue(daemon.cri, id, 'memory/memory.limit_in_bytes', 'memory.max'), String(100 << 20));
  t.equal(await cgroupValue(daemon.cri, id, 'pids/pids.max', 'pids.max'), '100');
  t.match(
    await cgroupValue(daemon.cri, id, 'cpu/cpu.shares', 'cpu.weight'),
    /^(256|35)$/,
    '256 shares are a weight of 35',
  );
});

t.test('inside: its own processes, hostname and mounts', async (t) => {
  const { stdout } = await pod.exec(id, 'ps', '-e', '-o', 'pid=,args=');
  t.match(stdout, /^ *1 sleep 10000\n *\d+ ps -e -o pid=,args=\n$/, 'ps sees the container and nothing else');
  t.equal((await pod.exec(id, 'hostname')).stdout, 'raft\n');
  const mounts = (await pod.exec(id, 'cat', '/proc/self/mountinfo')).stdout.trimEnd().split('\n');
  const points = mounts.map((line) => line.split(' ')[4]);
  t.equal(points.filter((point) => point === '/').length, 1, 'one root');
  t.match(
    mounts.find((line) => line.split(' ')[4] === '/'),
    / - overlay /,
  );
  const expected = /^\/($|proc|sys|dev|etc\/(hosts|hostname|resolv\.conf)$)/;
  t.same(
    points.filter((point) => !expected.test(point ?? '')),
    [],
    'and nothing of the host',
  );
});

t.test('outside: the host sees the same process under another pid and in other namespaces', async (t) => {
  const { pid } = await containerInfo(daemon.cri, id);
  t.not(pid, 1);
  t.equal(await readFile(`/proc/${pid}/cmdline`, 'utf8'), ['sleep', '10000', ''].join('\0'));
  t.match(await readFile(`/proc/${pid}/status`, 'utf8'), new RegExp(`^NSpid:.*\\t${pid}\\t1$`, 'm'));
});

t.test('its network: the IP the CRI tells is the one it has, and the host reaches it', async (t) => {
  const { status } = await daemon.cri.podSandboxStatus({ podSandboxId: pod.id });
  t.match(status?.network?.ip, new RegExp(`^${daemon.network?.prefix.replaceAll('.', '\\.')}\\.\\d+$`));
  t.match(
    (await pod.exec(id, 'cat', '/proc/net/fib_trie')).stdout,
    new RegExp(`${status?.network?.ip}\n\\s+/32 host LOCAL`),
  );
  t.match((await pod.exec(id, 'cat', '/etc/hosts')).stdout, new RegExp(`^${status?.network?.ip}\\s+raft$`, 'm'));
});

t.test('a fork bomb stays at 100 processes while the daemon answers within a second', async (t) => {
  const bomb = await pod.start(image, { command: ['/forkbomb'], resources: RESOURCES });
  const { logPath } = await pod.status(bomb);
  const line = await until('the bomb to be stopped', async () => (await readLog(logPath).catch(() => []))[0]);
  t.equal(line.text, 'refused after 99 children: Resource temporarily unavailable');
  t.equal(await cgroupValue(daemon.cri, bomb, 'pids/pids.current', 'pids.current'), '100');
  for (let round = 0; round < 10; round++) {
    const begin = performance.now();
    await daemon.cri.listContainers({});
    t.match(await pod.exec(id, 'true'), { code: 0 }, 'the other container goes on');
    t.ok(performance.now() - begin < 1000 * PATIENCE, 'within a second');
  }
  const begin = performance.now();
  await daemon.cri.stopContainer({ containerId: bomb, timeout: 0 });
  t.ok(performance.now() - begin < 5000, 'and it ends when it is told to');
  t.match(await pod.status(bomb), { state: 'CONTAINER_EXITED', exitCode: 137 });
});

t.test('a process that allocates a gigabyte is killed by the kernel and reported so', async (t) => {
  const { status, output } = await pod.complete(image, { command: ['/memory', '1024'], resources: RESOURCES });
  t.match(status, { reason: 'OOMKilled', exitCode: 137 });
  t.equal(output, '', 'it never got there');
  t.match(await pod.exec(id, 'true'), { code: 0 }, 'the other container goes on');
});

t.test('OOMKilled wins when the shell survives its child', async (t) => {
  const { status } = await pod.complete(image, {
    command: ['sh', '-c', '/memory 1024; exit $?'],
    resources: RESOURCES,
  });
  t.match(status, { reason: 'OOMKilled', exitCode: 137 });
});

t.test('what it writes is its own', async (t) => {
  await pod.exec(id, 'sh', '-c', 'echo changed > /etc/debian_version');
  const other = await pod.start(image, { command: ['sleep', '1000'] });
  t.match(
    (await pod.exec(other, 'cat', '/etc/debian_version')).stdout,
    /^12\.\d+$/m,
    'another container has the image as it was',
  );
});

t.test('after removal nothing is left', async (t) => {
  await pod.remove();
  t.same(await readdir(`${daemon.home}/netns`), [], 'no network namespace');
  await daemon.assertNothingLeft(t);
});
