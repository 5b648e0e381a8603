import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { type Node, startNode } from './harness/node.js';
import { OWN_NETWORK, Pod } from './harness/pod.js';
import { until } from './harness/wait.js';

// A pod's network as its containers and its neighbours see it.
let node: Node;

t.before(async () => {
  node = await startNode(t);
  const file = join(node.daemon.home, 'cni', '10-bridge.conflist');
  const list = JSON.parse(await readFile(file, 'utf8')) as { plugins: object[] };
  list.plugins.push({ type: 'portmap', capabilities: { portMappings: true }, snat: true });
  await writeFile(file, JSON.stringify(list));
  await node.daemon.restart();
});

/** What a server says, as soon as there is one. */
const answerOf = (host: string, port: number): Promise<string> =>
  until(`an answer of ${host}:${port}`, async () => {
    const socket = connect({ host, port, timeout: 5000 });
    const chunks: Buffer[] = [];
    socket.on('data', (data: Buffer) => chunks.push(data));
    socket.on('timeout', () => socket.destroy());
    await once(socket, 'close').catch(() => undefined); // nobody listens yet
    return chunks.length > 0 && Buffer.concat(chunks).toString();
  });

const server = (text: string, port = 80) => ({ command: ['nc', '-ll', '-p', String(port), '-e', 'echo', text] });

const ipOf = async (pod: Pod): Promise<string> => {
  const { status } = await node.daemon.cri.podSandboxStatus({ podSandboxId: pod.id });
  return status?.network?.ip ?? '';
};

t.test('verbose status: what tools read of the network with crictl inspectp', async (t) => {
  const pod = await Pod.run(node.daemon, { linux: OWN_NETWORK });
  const { info } = await node.daemon.cri.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
  t.match(JSON.parse(info['info'] ?? ''), {
    cniResult: { Interfaces: { eth0: { IPConfigs: [{ IP: await ipOf(pod) }], Mac: /^([\da-f]{2}:){5}/ } } },
    runtimeSpec: { linux: { namespaces: [{ type: 'network', path: /./ }] } },
  });
  await pod.remove();
});

t.test('DNS as asked, to the letter; host name and hosts too', async (t) => {
  const pod = await Pod.run(node.daemon, {
    hostname: 'mast',
    linux: OWN_NETWORK,
    dnsConfig: { servers: ['10.10.10.10', 'fd00::53'], searches: ['google.com', 'b.example'], options: ['ndots:8'] },
  });
  const id = await pod.start(node.busybox);
  t.equal(
    (await pod.exec(id, 'cat', '/etc/resolv.conf')).stdout,
    'nameserver 10.10.10.10\nnameserver fd00::53\nsearch google.com b.example\noptions ndots:8\n',
  );
  t.equal((await pod.exec(id, 'hostname')).stdout, 'mast\n');
  t.equal((await pod.exec(id, 'cat', '/etc/hostname')).stdout, 'mast\n');
  t.match((await pod.exec(id, 'cat', '/etc/hosts')).stdout, new RegExp(`^${await ipOf(pod)}\tmast$`, 'm'));
  await pod.remove();

  const plain = await Pod.run(node.daemon, { linux: OWN_NETWORK });
  const other = await plain.start(node.busybox);
  const resolver = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  t.equal((await plain.exec(other, 'cat', '/etc/resolv.conf')).stdout, resolver, "without one, the host's");
  await plain.remove();
});

t.test('a host port leads to the pod, from 127.0.0.1 as well; host port 0 is none', async (t) => {
  const pod = await Pod.run(node.daemon, {
    linux: OWN_NETWORK,
    portMappings: [
      { protocol: 'TCP', containerPort: 80, hostPort: 12_000, hostIp: '' },
      { protocol: 'TCP', containerPort: 81, hostPort: 0, hostIp: '' },
    ],
  });
  await pod.start(node.busybox, server('first'));
  await pod.start(node.busybox, server('second', 81));
  const ip = await ipOf(pod);
  t.equal(await answerOf('127.0.0.1', 12_000), 'first\n');
  t.equal(await answerOf(ip, 80), 'first\n');
  t.equal(await answerOf(ip, 81), 'second\n', 'the address of the pod needs no mapping');
  await pod.remove();
});

t.test('no privilege is needed for low ports and for ping', async (t) => {
  const pod = await Pod.run(node.daemon, { linux: OWN_NETWORK });
  const id = await pod.start(node.busybox, {
    ...server('low', 80),
    security: { runAsUser: { value: '1000' }, capabilities: { dropCapabilities: ['ALL'] } },
  });
  t.equal(await answerOf(await ipOf(pod), 80), 'low\n');
  t.equal((await pod.exec(id, 'cat', '/proc/sys/net/ipv4/ping_group_range')).stdout, '0\t2147483647\n');
  await pod.remove();
});

t.test("sysctls of the pod's own interface are set once it is there, in a user namespace too", async (t) => {
  const map = { hostId: 3_000_000, containerId: 0, length: 65_536 };
  const sysctls = {
    'net.ipv4.conf.eth0.rp_filter': '2',
    'net/ipv4/conf/eth0/log_martians': '1',
    'net.ipv6.conf.eth0.accept_ra': '2',
    'net.ipv4.ip_forward': '1',
  };
  for (const usernsOptions of [null, { mode: 'POD' as const, uids: [map], gids: [map] }]) {
    const namespaceOptions = { ...OWN_NETWORK.securityContext.namespaceOptions, usernsOptions };
    const pod = await Pod.run(node.daemon, { linux: { securityContext: { namespaceOptions }, sysctls } });
    const paths = Object.keys(sysctls).map((key) => `/proc/sys/${key.replaceAll('.', '/')}`);
    const { output } = await pod.complete(node.busybox, { command: ['cat', ...paths], security: { namespaceOptions } });
    t.equal(output, '2\n1\n2\n1\n');
    await pod.remove();
  }
  const absent = Pod.run(node.daemon, { linux: { ...OWN_NETWORK, sysctls: { 'net.ipv4.conf.eth7.rp_filter': '2' } } });
  await t.rejects(absent, { code: status.INVALID_ARGUMENT, details: /eth7\.rp_filter/ });
});

t.test('a network namespace that somebody has taken away is closed, and its file goes with the pod', async (t) => {
  const { cri, home } = node.daemon;
  const pod = await Pod.run(node.daemon, { linux: OWN_NETWORK });
  const closed = async () => {
    const { info } = await cri.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
    return (JSON.parse(info['info'] ?? '{}') as { netNamespaceClosed: boolean }).netNamespaceClosed;
  };
  const path = join(home, 'netns', `jangada-${pod.id.slice(0, 32)}`);
  t.equal(await closed(), false);
  await promisify(execFile)('umount', [path]);
  t.equal(await closed(), true, 'an ordinary file is none');
  await cri.stopPodSandbox({ podSandboxId: pod.id });
  t.equal(await closed(), true);
  await writeFile(path, '');
  await cri.removePodSandbox({ podSandboxId: pod.id });
  t.notOk(existsSync(path), 'as after a restart of the machine');
});

t.test('containers of a pod share its network, and other pods do not', async (t) => {
  const [pod, neighbour] = await Promise.all([1, 2].map(() => Pod.run(node.daemon, { linux: OWN_NETWORK })));
  if (!pod || !neighbour) throw new Error('no pods');
  const ip = await ipOf(pod);
  t.not(ip, await ipOf(neighbour));
  await pod.start(node.busybox, server('here', 7070));
  const beside = await pod.start(node.busybox);
  const away = await neighbour.start(node.busybox);
  await answerOf(ip, 7070);
  t.equal((await pod.exec(beside, 'nc', '127.0.0.1', '7070')).stdout, 'here\n', 'by the loopback of the pod');
  t.not((await neighbour.exec(away, 'nc', '127.0.0.1', '7070')).code, 0, 'which is not that of another pod');
  t.equal((await neighbour.exec(away, 'nc', ip, '7070')).stdout, 'here\n', 'but its address leads to it');
  await Promise.all([pod.remove(), neighbour.remove()]);
});

t.test("a pod on the host's network has the host's interfaces and listens on its ports", async (t) => {
  const pod = await Pod.run(node.daemon);
  t.equal(await ipOf(pod), '', 'and no address of its own');
  const id = await pod.start(node.busybox, server('host', 12_003));
  t.equal(await answerOf('127.0.0.1', 12_003), 'host\n');
  t.match((await pod.exec(id, 'netstat', '-ln')).stdout, /:12003 /);
  const [inside, outside] = [await pod.exec(id, 'cat', '/proc/net/dev'), await readFile('/proc/net/dev', 'utf8')];
  const names = (text: string) => text.match(/^ *\S+(?=:)/gm)?.map((name) => name.trim());
  t.same(names(inside.stdout), names(outside));
  await pod.remove();
});

t.test('a pod that fails and cannot give its address back stays until it can', async (t) => {
  const { cri, home } = node.daemon;
  const list = join(home, 'cni', '10-bridge.conflist');
  const network = await readFile(list, 'utf8');
  const stubborn = join(home, 'stubborn');
  await mkdir(join(home, 'config.d'));
  await mkdir(join(home, 'bin'));
  await writeFile(join(home, 'config.d/plugins.toml'), `[cni]\nbin_dirs = ["${join(home, 'bin')}", "/usr/lib/cni"]\n`);
  const plugin = (name: string, script: string) =>
    writeFile(join(home, 'bin', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const refuse = (why: string) => `{ echo '{"cniVersion":"1.0.0","code":100,"msg":"${why}"}'; exit 1; }`;
  await plugin(
    'keeper',
    `[ $CNI_COMMAND != DEL ] || [ ! -e ${stubborn} ] || ${refuse('stubborn')}\necho '{"cniVersion":"1.0.0"}'`,
  );
  await plugin('refuser', `[ $CNI_COMMAND != ADD ] || ${refuse('refused')}`);
  await writeFile(stubborn, '');
  const { plugins, ...rest } = JSON.parse(network) as { plugins: object[] };
  await writeFile(list, JSON.stringify({ ...rest, plugins: [{ type: 'keeper' }, ...plugins, { type: 'refuser' }] }));
  await node.daemon.restart();
  await t.rejects(Pod.run(node.daemon, { linux: OWN_NETWORK }), { message: /refused/ });
  const { items } = await cri.listPodSandbox({});
  t.match(items, [{ state: 'SANDBOX_NOTREADY' }], 'the kubelet sees it');
  const podSandboxId = items[0]?.id ?? '';
  await t.rejects(cri.stopPodSandbox({ podSandboxId }), { message: /stubborn/ });
  await rm(stubborn);
  await cri.stopPodSandbox({ podSandboxId });
  await cri.removePodSandbox({ podSandboxId });
  await t.rejects(Pod.run(node.daemon, { linux: OWN_NETWORK }), { message: /refused/ });
  t.same((await cri.listPodSandbox({})).items, [], 'one that can goes at once');
  await writeFile(list, network);
  await rm(join(home, 'config.d'), { recursive: true });
  await node.daemon.restart();
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
