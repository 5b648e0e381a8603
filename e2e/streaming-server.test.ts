import { execFile } from 'node:child_process';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect as dialTls } from 'node:tls';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { Daemon } from './harness/daemon.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';
import { overSpdy, overWebSocket, textOf, type Transport, type Wanted } from './harness/remote.js';
import { SpdyClient, upgrade, UpgradeRefused } from './harness/spdy.js';
import { until } from './harness/wait.js';

const run = promisify(execFile);

let node: Node;
let pod: Pod;
let id: string;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
  id = await pod.start(node.busybox, { stdin: true });
});

const exec = async (cmd: string[], wanted: Wanted = { stdout: true }): Promise<string> =>
  (await node.daemon.cri.exec({ containerId: id, cmd, ...wanted })).url;

const answerTo = (
  url: string,
  method: string,
  headers: Record<string, string> = {},
): Promise<{ code: number; text: string }> =>
  new Promise((resolve, reject) => {
    const call = request(url, { method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ code: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    call.on('error', reject).end();
  });

/** The answer to an upgrade that must not succeed. */
const refused = async (t: Test, attempt: Promise<unknown>, code: number, why: string): Promise<UpgradeRefused> => {
  const error: unknown = await attempt.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof UpgradeRefused)) throw new Error(`upgraded, or failed otherwise: ${String(error)}`);
  t.equal(error.status, code, why);
  return error;
};

t.test('a URL is on this node only, unguessable and good once', async (t) => {
  const [url, other] = [await exec(['echo', 'hi']), await exec(['echo', 'hi'])];
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+\/exec\/[\w-]{22}$/);
  t.not(url, other);
  const remote = await overSpdy(url, { stdout: true });
  t.equal(await textOf(remote.stdout), 'hi\n');
  await refused(t, overSpdy(url, { stdout: true }), 404, 'used');
  await refused(t, overSpdy(other.slice(0, -1), { stdout: true }), 404, 'guessed');
  await refused(t, overSpdy(other.replace('exec', 'attach'), { stdout: true }), 404, 'for something else');
});

t.test('what is no upgrade is answered, never redirected', async (t) => {
  const url = await exec(['true']);
  t.match(await answerTo(url, 'GET'), { code: 400, text: /upgrade/ });
  t.match(await answerTo(new URL('/', url).href, 'GET'), { code: 404 });
  t.match(await answerTo(new URL('/exec/../../x', url).href, 'POST'), { code: 404 });
  const { body, headers } = await refused(t, upgrade(url, ['v9.channel.k8s.io']), 403, 'nothing in common');
  t.match(body, /server accepts v4\.channel\.k8s\.io/);
  t.match(headers['x-accepted-stream-protocol-versions'], /v4\.channel\.k8s\.io/);
  await t.rejects(overWebSocket(url, {}, ['v9.channel.k8s.io']), { message: /403/ });
});

t.test('only so many URLs wait to be used', async (t) => {
  const { daemon } = node;
  const attempts = Array.from({ length: 1010 }, () =>
    daemon.cri.exec({ containerId: id, cmd: ['true'], stdout: true }).then(
      () => status.OK,
      (error: { code: status }) => error.code,
    ),
  );
  const codes = await Promise.all(attempts);
  const refusals = codes.filter((code) => code === status.RESOURCE_EXHAUSTED).length;
  t.ok(refusals >= 10, `${refusals} of 1010 are refused`);
  t.equal(codes.filter((code) => code === status.OK).length, 1010 - refusals, 'and nothing else happens');
  await daemon.restart();
});

for (const [protocol, version] of [
  ['v3.channel.k8s.io', 3],
  ['v2.channel.k8s.io', 2],
  ['channel.k8s.io', 1],
] as const)
  t.test(`SPDY ${protocol}: a failure is a text, a success is silence`, async (t) => {
    const wanted = { stdout: true, ...(version < 3 ? { tty: true } : {}) };
    const bad = await overSpdy(await exec(['sh', '-c', 'exit 9'], wanted), wanted, [protocol]);
    t.equal(bad.protocol, protocol);
    t.match(await bad.status, /^command terminated with non-zero exit code: .*exit code 9$/);
    const good = await overSpdy(await exec(['true']), { stdout: true }, [protocol]);
    t.equal(await good.status, '');
  });

for (const protocol of ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'])
  t.test(`WebSocket ${protocol}`, async (t) => {
    const wanted = { stdin: true, stdout: true, stderr: true };
    const cmd = ['sh', '-c', 'read a; echo "$a"; echo err >&2; exit 2'];
    const remote = await overWebSocket(await exec(cmd, wanted), wanted, [protocol]);
    t.equal(remote.protocol, protocol);
    remote.stdin.write('line\n');
    t.same([await textOf(remote.stdout), await textOf(remote.stderr)], ['line\n', 'err\n']);
    const text = await remote.status;
    if (protocol.startsWith('v4')) t.match(JSON.parse(text), { details: { causes: [{ message: '2' }] } });
    else t.match(text, /exit code 2$/);
    t.equal(await remote.closed, 1000);
  });

t.test('streams that nobody asked for are refused', async (t) => {
  const { socket } = await upgrade(await exec(['true']), ['v4.channel.k8s.io']);
  const client = new SpdyClient(socket);
  await t.rejects(client.open({ streamtype: 'stdin' }), { message: /refused/ });
  await t.rejects(client.open({}), { message: /refused/ });
  const error = await client.open({ streamtype: 'error' });
  await t.rejects(client.open({ streamtype: 'error' }), { message: /refused/ });
  const stdout = await client.open({ streamtype: 'stdout' });
  stdout.resume();
  t.same(JSON.parse(await textOf(error)), { metadata: {}, status: 'Success' });
  client.destroy();
});

/** What a daemon holds: descriptors, and memory in KiB. */
const held = async () => {
  const { pid } = node.daemon;
  const rss = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  return { fds: (await readdir(`/proc/${pid}/fd`)).length, rss: Number(rss) };
};

const supervisorFds = async () => {
  const { status: found } = await node.daemon.cri.podSandboxStatus({ podSandboxId: pod.id });
  t.ok(found);
  const { stdout } = await run('pgrep', ['-x', 'jangada-pod']);
  const counts = stdout
    .trim()
    .split('\n')
    .map(async (one) => (await readdir(`/proc/${one}/fd`).catch(() => [])).length);
  return (await Promise.all(counts)).reduce((sum, one) => sum + one, 0);
};

for (const [name, open] of [
  ['SPDY', overSpdy],
  ['WebSocket', overWebSocket],
] as [string, Transport][])
  t.test(`SOAK ${name}: clients that come, finish, or vanish at any stage leave nothing`, async (t) => {
    const wanted = { stdin: true, stdout: true, stderr: true };
    const terminal = { stdin: true, stdout: true, tty: true };
    const stages: (() => Promise<unknown>)[] = [
      async () => (await open(await exec(['true'], wanted), wanted)).status,
      async () => (await open(await exec(['sleep', '60'], terminal), terminal)).vanish(),
      async () => (await open(await exec(['cat'], wanted), wanted)).vanish(),
      async () => {
        const remote = await open(await exec(['yes'], wanted), wanted);
        await new Promise((resolve) => remote.stdout.once('data', resolve));
        remote.stdout.pause();
        remote.vanish();
      },
      async () => (await open((await node.daemon.cri.attach({ containerId: id, ...wanted })).url, wanted)).vanish(),
      async () => (await open(await exec(['/nonexistent'], wanted), wanted)).status,
      async () => (await upgrade(await exec(['true']), ['v4.channel.k8s.io'])).socket.destroy(),
      async () => {
        const { socket } = await upgrade(await exec(['true']), ['v4.channel.k8s.io']);
        await new SpdyClient(socket).begin({ streamtype: 'error' });
        socket.destroy();
      },
      async () => {
        const { hostname, port } = new URL(await exec(['true']));
        const socket = connect(Number(port), hostname);
        await new Promise((resolve) => socket.write('POST /exec/', resolve));
        socket.destroy();
      },
    ];
    const round = () => Promise.all(stages.map((stage) => stage()));
    const settled = async (fds: number) => until('descriptors to be given back', async () => (await held()).fds <= fds);
    for (let i = 0; i < 3; i++) await round();
    await until(
      'the processes to end',
      async () => !/yes|sleep 60|cat/.test((await pod.exec(id, 'ps', '-o', 'args')).stdout),
    );
    await settled(Number.POSITIVE_INFINITY);
    const [before, below] = [await held(), await supervisorFds()];
    for (let i = 0; i < 25; i++) await round();
    await settled(before.fds + 2);
    await until('the supervisor’s too', async () => (await supervisorFds()) <= below);
    const after = await held();
    t.ok(after.rss - before.rss < 64 << 10, `memory grew by ${after.rss - before.rss} KiB`);
    await until(
      'the processes to end',
      async () => !/yes|sleep 60|cat/.test((await pod.exec(id, 'ps', '-o', 'args')).stdout),
    );
    t.equal((await pod.status(id)).state, 'CONTAINER_RUNNING');
  });

t.test('garbage in the place of SPDY does not end the daemon', async (t) => {
  const { pid } = node.daemon;
  for (const bytes of [Buffer.alloc(65536, 0xff), Buffer.alloc(64, 0x80), Buffer.from('8003000100ffffff', 'hex')]) {
    const { socket } = await upgrade(await exec(['true']), ['v4.channel.k8s.io']);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined).resume();
    socket.write(bytes);
    await closed;
  }
  t.equal(node.daemon.pid, pid);
  t.equal((await pod.exec(id, 'true')).code, 0);
});

/** A WebSocket without a library, which would not send what a test wants to. */
const handshake = (url: string, more = ''): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const { hostname, port, pathname } = new URL(url);
    const socket = connect(Number(port), hostname);
    const key = Buffer.alloc(16).toString('base64');
    socket.write(
      `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n${more}\r\n`,
    );
    socket.once('error', reject);
    socket.once('data', (answer: Buffer) =>
      answer.toString().startsWith('HTTP/1.1 101') ? resolve(socket) : reject(new Error(answer.toString())),
    );
  });

t.test('CVE-2026-54466, CVE-2024-37890: garbage in the place of a WebSocket does not end the daemon', async (t) => {
  const { pid } = node.daemon;
  const mask = '00000000';
  for (const [what, frame] of [
    ['a frame without a mask', '820100'],
    ['a length of 2^63', `82ff8000000000000000${mask}`],
    ['a length of 1 GiB', `82ff0000000040000000${mask}`],
    ['reserved bits', `f281${mask}00`],
    ['a compressed frame, although nothing was agreed', `c281${mask}00`],
    ['a control frame of 200 bytes', `89fe00c8${mask}`],
    ['a continuation of nothing', `8081${mask}00`],
    ['an unknown kind', `8381${mask}00`],
  ] as const) {
    const socket = await handshake(await exec(['sleep', '60'], { stdin: true, stdout: true }));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined).resume();
    socket.write(Buffer.from(frame, 'hex'));
    await closed;
    t.pass(what);
  }
  const headers = Array.from({ length: 10_000 }, (_, number) => `x-${number}: y\r\n`).join('');
  await t.rejects(handshake(await exec(['true']), headers), 'ten thousand headers');
  t.equal(node.daemon.pid, pid);
  t.equal((await pod.exec(id, 'true')).code, 0);
});

t.test('an idle client is closed', async (t) => {
  const daemon = await Daemon.start(t, { network: false, streaming: 'idle_timeout = 1' });
  await daemon.trust(node.registry);
  await daemon.cri.pullImage({ image: { image: node.busybox } });
  const own = await Pod.run(daemon);
  const containerId = await own.start(node.busybox);
  for (const open of [overSpdy, overWebSocket]) {
    const { url } = await daemon.cri.exec({ containerId, cmd: ['sleep', '1000'], stdout: true });
    await (await open(url, { stdout: true })).closed;
  }
  const { url } = await daemon.cri.exec({
    containerId,
    cmd: ['sh', '-c', 'for i in 1 2 3 4 5 6 7 8; do echo; sleep 0.4; done'],
    stdout: true,
  });
  t.equal(await textOf((await overSpdy(url, { stdout: true })).stdout), '\n'.repeat(8), 'a busy one is not');
  await daemon.assertNothingLeft(t);
});

t.test('TLS: certificates are taken anew when they change, clients may have to show one', async (t) => {
  const home = t.testdir();
  const make = async (name: string) => {
    const [key, cert] = [join(home, `${name}.key`), join(home, `${name}.crt`)];
    const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
    const options = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    await run('openssl', ['req', ...options, ...subject, '-keyout', key, '-out', cert]);
    return { key, cert, text: await readFile(cert, 'utf8'), keyText: await readFile(key, 'utf8') };
  };
  const [first, second, client] = [await make('first'), await make('second'), await make('client')];
  const daemon = await Daemon.start(t, {
    network: false,
    streaming: `tls_cert = "${first.cert}"\ntls_key = "${first.key}"\ntls_client_ca = "${client.cert}"`,
  });
  await daemon.trust(node.registry);
  await daemon.cri.pullImage({ image: { image: node.busybox } });
  const own = await Pod.run(daemon);
  const containerId = await own.start(node.busybox);
  const urlOf = async () => (await daemon.cri.exec({ containerId, cmd: ['echo', 'sealed'], stdout: true })).url;
  const read = async (url: string, ca: string) => {
    const { socket } = await upgrade(url, ['v4.channel.k8s.io'], { ca, cert: client.text, key: client.keyText });
    const spdy = new SpdyClient(socket);
    (await spdy.open({ streamtype: 'error' })).resume();
    const text = await textOf(await spdy.open({ streamtype: 'stdout' }));
    spdy.destroy();
    return text;
  };
  const url = await urlOf();
  t.match(url, /^https:/);
  t.equal(await read(url, first.text), 'sealed\n');
  await t.rejects(upgrade(await urlOf(), ['v4.channel.k8s.io'], { ca: first.text }), 'a client without a certificate');
  await writeFile(join(home, 'next'), second.text);
  await rename(second.key, first.key);
  await rename(join(home, 'next'), first.cert);
  t.equal(await read(await urlOf(), second.text), 'sealed\n', 'the new one');
  const old = dialTls({
    host: '127.0.0.1',
    port: Number(new URL(url).port),
    maxVersion: 'TLSv1.1',
    rejectUnauthorized: false,
  });
  await t.resolves(new Promise((resolve) => old.on('error', resolve)), 'TLS 1.1 is not spoken');
  await daemon.assertNothingLeft(t);
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
