import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';
import { overSpdy, overWebSocket, type Remote, textOf, type Transport, type Wanted } from './harness/remote.js';
import { until } from './harness/wait.js';

let node: Node;
let pod: Pod;
let id: string;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
  id = await pod.start(node.busybox, { env: { COLOUR: 'red' }, workingDir: '/home' });
});

const urlOf = async (cmd: string[], wanted: Wanted): Promise<string> =>
  (await node.daemon.cri.exec({ containerId: id, cmd, ...wanted })).url;

/** Their digits are more than all buffers on the way hold. */
const NUMBERS = 3_000_000;

const SUCCESS = { metadata: {}, status: 'Success' };
const exited = (code: number) => ({
  status: 'Failure',
  reason: 'NonZeroExitCode',
  details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
});

const outputs = async (remote: Remote) => {
  const [stdout, stderr, text] = await Promise.all([textOf(remote.stdout), textOf(remote.stderr), remote.status]);
  return { stdout, stderr, status: JSON.parse(text) as object };
};

const ends = async (t: Test, remote: Remote) => {
  const code = await remote.closed;
  if (code !== undefined) t.equal(code, 1000, 'the WebSocket closes normally');
};

for (const [name, open] of [
  ['SPDY', overSpdy],
  ['WebSocket', overWebSocket],
] as [string, Transport][]) {
  const both = { stdout: true, stderr: true };
  const run = async (cmd: string[], wanted: Wanted = both) => open(await urlOf(cmd, wanted), wanted);

  t.test(`${name}: both outputs and the exit code arrive`, async (t) => {
    const remote = await run(['sh', '-c', 'echo out; echo err >&2; echo $COLOUR; pwd; exit 3']);
    t.equal(remote.protocol, name === 'SPDY' ? 'v4.channel.k8s.io' : 'v5.channel.k8s.io');
    t.match(await outputs(remote), { stdout: 'out\nred\n/home\n', stderr: 'err\n', status: exited(3) });
    await ends(t, remote);
    const good = await run(['echo', '-n', 'hello'], { stdout: true });
    t.same(await outputs(good), { stdout: 'hello', stderr: '', status: SUCCESS });
    await ends(t, good);
  });

  t.test(`${name}: an input that ends is an end of file`, async (t) => {
    const remote = await run(['cat'], { stdin: true, ...both });
    remote.stdin.write('one ');
    remote.stdin.end('two');
    t.same(await outputs(remote), { stdout: 'one two', stderr: '', status: SUCCESS });
    await ends(t, remote);
  });

  t.test(`${name}: a command that cannot be run is an error that names it`, async (t) => {
    const { status: said } = await outputs(await run(['/no/such/command']));
    t.match(said, { status: 'Failure', reason: 'InternalError', message: /no such file.*\/no\/such\/command/ });
  });

  t.test(`${name}: a terminal, its size, and a hang-up when the client vanishes`, async (t) => {
    const wanted = { tty: true, stdin: true, stdout: true };
    const remote = await run(['sh'], wanted);
    let seen = '';
    remote.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    const shows = (text: string) => until(`${text} in ${seen}`, async () => seen.includes(text));
    remote.resize(123, 45);
    remote.stdin.write('until [ "$(stty size)" = "45 123" ]; do sleep 0.1; done; echo si"ze"; tty; echo $TERM\n');
    await shows('size\r\n');
    await shows('/dev/pts/');
    await shows('xterm\r\n');
    remote.stdin.write('exit 7\n');
    t.match(JSON.parse(await remote.status), exited(7));
    await ends(t, remote);
    const second = await run(['sh', '-c', 'echo ready; sleep 4241'], wanted);
    second.stdout.once('data', () => second.vanish());
    await second.closed;
    await until('the end of the process', async () => !(await pod.exec(id, 'ps')).stdout.includes('sleep 4241'));
  });

  t.test(`${name}: a command that closes its terminal is not hung up`, async (t) => {
    const script = 'exec </dev/null >/dev/null 2>&1; sleep 0.3; echo back >/dev/tty; exit 7';
    const remote = await run(['sh', '-c', script], { tty: true, stdin: true, stdout: true });
    t.equal(await textOf(remote.stdout), 'back\r\n');
    t.match(JSON.parse(await remote.status), exited(7));
  });

  t.test(`${name}: any volume goes both ways at once, unchanged`, async (t) => {
    const remote = await run(['cat'], { stdin: true, stdout: true });
    const received = createHash('sha256');
    remote.stdout.on('data', (piece: Buffer) => void received.update(piece));
    const sent = createHash('sha256');
    for (let i = 0; i < 64; i++) {
      const chunk = randomBytes(1 << 20);
      sent.update(chunk);
      if (!remote.stdin.write(chunk)) await once(remote.stdin, 'drain');
    }
    remote.stdin.end();
    t.same(JSON.parse(await remote.status), SUCCESS);
    t.equal(received.digest('hex'), sent.digest('hex'));
  });

  t.test(`${name}: a slow client gets all of it, unchanged`, async (t) => {
    const remote = await run(['seq', '1', String(NUMBERS)], { stdout: true });
    const received = createHash('sha256');
    for await (const piece of remote.stdout) {
      received.update(piece as Buffer);
      await turn();
    }
    const sent = createHash('sha256');
    for (let i = 1; i <= NUMBERS; i++) sent.update(`${i}\n`);
    t.equal(received.digest('hex'), sent.digest('hex'));
    t.same(JSON.parse(await remote.status), SUCCESS);
  });

  t.test(`${name}: a process left behind with the outputs open does not hold the answer back`, async (t) => {
    t.same(await outputs(await run(['sh', '-c', 'sleep 1000 & echo done'])), {
      stdout: 'done\n',
      stderr: '',
      status: SUCCESS,
    });
    t.match(await outputs(await run(['sh', '-c', 'yes & exit 4'])), { status: exited(4) });
    await pod.exec(id, 'killall', 'sleep', 'yes');
  });

  t.test(`${name}: an input that the command does not read, or has closed, is dropped`, async (t) => {
    const remote = await run(['sh', '-c', 'exec <&-; sleep 0.2; echo done'], { stdin: true, stdout: true });
    for (let i = 0; i < 64; i++) remote.stdin.write(Buffer.alloc(1 << 16));
    t.match(await outputs(remote), { stdout: 'done\n', status: SUCCESS });
  });
}

t.test('commands that outlive their clients keep no place from others', async (t) => {
  const wanted = { stdout: true };
  const deaf = ['sh', '-c', 'trap "" HUP PIPE; echo up; exec sleep 47120'];
  for (let client = 0; client < 140; client++) {
    const remote = await overSpdy(await urlOf(deaf, wanted), wanted);
    await once(remote.stdout, 'data');
    remote.vanish();
    await remote.closed;
  }
  const next = await overSpdy(await urlOf(['echo', 'next'], wanted), wanted);
  t.match(await outputs(next), { stdout: 'next\n', status: SUCCESS });
  const { stdout } = await pod.exec(id, 'ps');
  t.equal(stdout.split('\n').filter((line) => line.includes('sleep 47120')).length, 140, 'they are left alone');
});

t.test('what is asked for wrongly is refused, and nothing else', async (t) => {
  const { cri } = node.daemon;
  const cmd = ['true'];
  await t.rejects(cri.exec({ containerId: id, cmd, tty: true, stdout: true, stderr: true }), {
    code: status.INVALID_ARGUMENT,
    details: /tty and stderr/,
  });
  await t.rejects(cri.exec({ containerId: id, cmd }), { code: status.INVALID_ARGUMENT, details: /one of stdin/ });
  await t.rejects(cri.exec({ containerId: id, stdout: true }), { code: status.INVALID_ARGUMENT, details: /cmd/ });
  await t.rejects(cri.exec({ containerId: '0'.repeat(64), cmd, stdout: true }), { code: status.NOT_FOUND });
  const created = await pod.create(node.busybox);
  await t.rejects(cri.exec({ containerId: created, cmd, stdout: true }), { code: status.FAILED_PRECONDITION });
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
