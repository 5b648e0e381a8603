import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Attachment } from '../src/network/attachment.js';
import { Network } from '../src/network/network.js';
import { runCommand } from './network-command.js';

/** Debian's containernetworking-plugins, in the network namespace that the suite runs in. */
const BIN_DIR = '/usr/lib/cni';
const BRIDGE = 'jng-test0';

const confList = (dataDir: string, cniVersion: string) => ({
  cniVersion,
  name: 'jng-test',
  plugins: [
    {
      type: 'bridge',
      bridge: BRIDGE,
      isGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: { type: 'host-local', dataDir, ranges: [[{ subnet: '10.213.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
    { type: 'portmap', capabilities: { portMappings: true }, snat: true },
    // Debian's speaks 0.3.0 and later.
    ...(cniVersion < '0.3' ? [] : [{ type: 'bandwidth', capabilities: { bandwidth: true } }]),
  ],
});

/** A network namespace held by a process, and what it takes to look into it. */
const namespace = async (): Promise<{
  path: string;
  run: (...argv: string[]) => string;
  enter: (...argv: string[]) => ChildProcess;
  end: () => Promise<void>;
}> => {
  const holder = spawn('unshare', ['-n', 'sh', '-c', 'ip link set lo up && echo up && exec sleep 1000']);
  await once(holder.stdout, 'data');
  const path = `/proc/${holder.pid}/ns/net`;
  const inside = [`--net=${path}`, '--'];
  return {
    path,
    run: (...argv) => execFileSync('nsenter', [...inside, ...argv], { encoding: 'utf8' }),
    enter: (...argv) => spawn('nsenter', [...inside, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] }),
    end: async () => {
      holder.kill('SIGKILL');
      if (holder.exitCode === null && holder.signalCode === null) await once(holder, 'exit');
    },
  };
};

const fetchFrom = async (host: string, port: number): Promise<string> => {
  const socket = connect({ host, port, timeout: 10_000 });
  const chunks: Buffer[] = [];
  socket.on('data', (data: Buffer) => chunks.push(data));
  socket.on('timeout', () => socket.destroy(new Error(`no answer from ${host}:${port}`)));
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
};

const pod = (netnsPath: string, change: Partial<Attachment> = {}): Attachment => ({
  sandboxId: 'e2e-pod',
  netnsPath,
  podName: 'web',
  podNamespace: 'default',
  podUid: 'u',
  portMappings: [],
  bandwidth: null,
  annotations: {},
  cgroupParent: '',
  dns: null,
  ...change,
});

t.before(() => {
  const links = JSON.parse(execFileSync('ip', ['-j', '-d', 'link'], { encoding: 'utf8' })) as Array<{
    link_type: string;
    linkinfo?: object;
  }>;
  const real = links.some((link) => link.link_type === 'ether' && !link.linkinfo);
  if (real) throw new Error('refusing to configure the host: run this under "unshare -mn"');
});

const setup = async (test: Pick<typeof t, 'teardown'>, cniVersion = '1.0.0') => {
  const root = mkdtempSync(join(tmpdir(), 'jangada-cni-'));
  const ipam = join(root, 'ipam');
  const confDir = join(root, 'conf');
  execFileSync('mkdir', [confDir]);
  writeFileSync(join(confDir, '10-test.conflist'), JSON.stringify(confList(ipam, cniVersion)));
  const open = () =>
    Network.open({
      confDir,
      binDirs: [BIN_DIR],
      cacheDir: join(root, 'cache'),
      run: runCommand,
      log: { info: () => undefined, warn: () => undefined },
    });
  const network = open();
  const netns = await namespace();
  test.teardown(async () => {
    network.close();
    await netns.end();
    rmSync(root, { recursive: true });
  });
  const reserved = () =>
    existsSync(join(ipam, 'jng-test')) ? readdirSync(join(ipam, 'jng-test')).filter((name) => /^\d+\./.test(name)) : [];
  return { network, netns, reserved, open };
};

const rules = () => execFileSync('iptables-save', { encoding: 'utf8' });

t.test('a pod gets an address, a host port and a bandwidth, and gives all of them back', async (t) => {
  const { network, netns, reserved } = await setup(t);
  t.same(network.status(), { ready: true, reason: '', message: '' });
  const attachment = pod(netns.path, {
    portMappings: [{ hostPort: 18080, containerPort: 80, protocol: 'tcp', hostIP: '' }],
    bandwidth: { ingressRate: 100_000_000, ingressBurst: 4294967295 },
  });
  const result = await network.add(attachment);
  t.match(result, { ip: /^10\.213\.0\.\d+$/, additionalIps: [], mac: /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/ });
  const [link] = JSON.parse(netns.run('ip', '-j', 'addr', 'show', 'eth0')) as Array<{
    address: string;
    addr_info: Array<{ local: string }>;
  }>;
  t.equal(link?.address, result.mac);
  t.ok(link?.addr_info.some(({ local }) => local === result.ip));
  t.same(reserved(), [result.ip]);
  t.match(execFileSync('tc', ['qdisc', 'show'], { encoding: 'utf8' }), /tbf .*rate 100Mbit/);

  const server = netns.enter(
    process.execPath,
    '-e',
    "require('net').createServer((s) => s.end('hello')).listen(80, '0.0.0.0', () => console.log('up'))",
  );
  t.teardown(() => server.kill('SIGKILL'));
  await once(server.stdout ?? server, 'data');
  t.equal(await fetchFrom(result.ip, 80), 'hello', 'from the host to the pod');
  t.equal(await fetchFrom('10.213.0.1', 18080), 'hello', "by the host's address");
  t.equal(await fetchFrom('127.0.0.1', 18080), 'hello', "by the host's loopback");

  t.match(rules(), /e2e-pod/);
  await network.remove('e2e-pod');
  t.same(reserved(), []);
  t.notMatch(rules(), /e2e-pod|18080/);
  t.notMatch(netns.run('ip', '-o', 'link'), /eth0/);
  await network.remove('e2e-pod');
});

for (const version of ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0']) {
  t.test(`configurations and results of CNI ${version}`, async (t) => {
    const { network, netns, reserved } = await setup(t, version);
    const sandboxId = `e2e-${version}`;
    const portMappings = [{ hostPort: 18082, containerPort: 80, protocol: 'tcp', hostIP: '' } as const];
    const result = await network.add(pod(netns.path, { sandboxId, portMappings }));
    t.match(result, { ip: /^10\.213\.0\.\d+$/ });
    t.same(reserved(), [result.ip]);
    t.match(network.shown(sandboxId), { Interfaces: { eth0: { IPConfigs: [{ IP: result.ip }] } } });
    t.match(rules(), new RegExp(`${result.ip}:80`), 'a plugin that goes by the result of the one before');
    await network.remove(sandboxId);
    t.same(reserved(), []);
    t.notMatch(rules(), /18082/);
  });
}

t.test('a namespace that died, and a daemon that forgot, still give everything back', async (t) => {
  const { network, netns, reserved, open } = await setup(t);
  await network.add(
    pod(netns.path, { portMappings: [{ hostPort: 18081, containerPort: 80, protocol: 'tcp', hostIP: '127.0.0.1' }] }),
  );
  await netns.end();
  const after = open();
  t.teardown(() => after.close());
  t.match(after.leftovers(), [{ sandboxId: 'e2e-pod' }]);
  await after.remove('e2e-pod');
  t.same(reserved(), []);
  // Without the namespace Debian's bridge plugin cannot tell its own masquerade rule; the port mapping must go all the
  // same.
  t.notMatch(rules(), /18081/);
  t.same(after.leftovers(), []);
});

t.test('an ADD that fails half-way leaves no address and no rule', async (t) => {
  const { network, netns, reserved } = await setup(t);
  const bandwidth = { ingressRate: -5, ingressBurst: 1 };
  await t.rejects(network.add(pod(netns.path, { sandboxId: 'e2e-half', bandwidth })), {
    message: /"bandwidth" \(ADD for pod default\/web, network "jng-test"\)/,
  });
  t.same(reserved(), []);
  t.notMatch(rules(), /e2e-half/);
  t.notMatch(netns.run('ip', '-o', 'link'), /eth0/);
});
