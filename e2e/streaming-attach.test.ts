import { stat } from 'node:fs/promises';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { type Node, startNode } from './harness/node.js';
import { Pod, readLog } from './harness/pod.js';
import { overSpdy, overWebSocket, type Remote, textOf, type Transport, type Wanted } from './harness/remote.js';
import { until } from './harness/wait.js';

let node: Node;
let pod: Pod;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon);
});

const SUCCESS = { metadata: {}, status: 'Success' };
const both = { stdout: true, stderr: true };

/** Everything that has arrived on a stream so far. */
const watch = (stream: Remote['stdout']): (() => string) => {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return () => text;
};

const shows = (seen: () => string, text: string) =>
  until(`${text} in what was seen`, async () => seen().includes(text));

for (const [name, open] of [
  ['SPDY', overSpdy],
  ['WebSocket', overWebSocket],
] as [string, Transport][]) {
  const attach = async (containerId: string, wanted: Wanted) =>
    open((await node.daemon.cri.attach({ containerId, ...wanted })).url, wanted);

  /** Two clients, of which one does not read, of a container that waits for its input. */
  const goodAndStuck = async (id: string) => {
    const [good, stuck] = [await attach(id, { stdin: true, stdout: true }), await attach(id, { stdout: true })];
    let bytes = 0;
    good.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    stuck.stdout.pause();
    good.stdin.write('go\n');
    return { good, stuck, received: () => bytes };
  };

  t.test(`${name}: what the container writes from now on, to each client, and its end`, async (t) => {
    const id = await pod.start(node.busybox, {
      command: ['sh', '-c', 'echo before; while read line; do echo "$line"; echo "$line" >&2; done; exit 3'],
      stdin: true,
      stdinOnce: true,
    });
    await until('the first line', async () => (await readLog((await pod.status(id)).logPath)).length === 1);
    const [one, two] = [await attach(id, { stdin: true, ...both }), await attach(id, both)];
    const seen = [one, two].flatMap(({ stdout, stderr }) => [watch(stdout), watch(stderr)]);
    one.stdin.write('hello\n');
    for (const text of seen) await shows(text, 'hello\n');
    one.stdin.end('bye');
    t.same(JSON.parse(await one.status), SUCCESS, 'the end of the container is the end of the attachment');
    t.same(JSON.parse(await two.status), SUCCESS);
    t.ok(
      seen.every((text) => text().startsWith('hello\n') && !text().includes('before')),
      'nothing of what was before',
    );
    t.equal(
      (await pod.exited(id)).exitCode,
      3,
      'stdin_once: the end of the client’s input was that of the container’s',
    );
    const log = await readLog((await pod.status(id)).logPath);
    t.match(
      log.map(({ stream, text }) => `${stream} ${text}`),
      ['stdout before', 'stdout hello', 'stderr hello'],
    );
  });

  t.test(`${name}: clients come and go, the container stays; its input too without stdin_once`, async (t) => {
    const id = await pod.start(node.busybox, { command: ['cat'], stdin: true });
    const first = await attach(id, { stdin: true, stdout: true });
    const seen = watch(first.stdout);
    first.stdin.write('one\n');
    await shows(seen, 'one\n');
    first.vanish();
    await first.closed;
    const second = await attach(id, { stdin: true, stdout: true });
    const again = watch(second.stdout);
    second.stdin.end('two\n');
    await shows(again, 'two\n');
    second.vanish();
    const third = await attach(id, { stdin: true, stdout: true });
    const more = watch(third.stdout);
    third.stdin.write('three\n');
    await shows(more, 'three\n');
    third.vanish();
    t.equal((await pod.status(id)).state, 'CONTAINER_RUNNING');
  });

  t.test(`${name}: stdin_once ends with the client that vanishes`, async (t) => {
    const id = await pod.start(node.busybox, { command: ['cat'], stdin: true, stdinOnce: true });
    const [client, other] = [
      await attach(id, { stdin: true, stdout: true }),
      await attach(id, { stdin: true, stdout: true }),
    ];
    const seen = watch(client.stdout);
    client.stdin.write('x\n');
    await shows(seen, 'x\n');
    client.vanish();
    t.equal((await pod.exited(id)).exitCode, 0, 'although another holds the input too');
    t.same(JSON.parse(await other.status), SUCCESS);
  });

  t.test(`${name}: a terminal and its size`, async (t) => {
    const id = await pod.start(node.busybox, { command: ['sh'], stdin: true, tty: true });
    const wanted = { tty: true, stdin: true, stdout: true };
    const [client, other] = [await attach(id, wanted), await attach(id, wanted)];
    const [seen, too] = [watch(client.stdout), watch(other.stdout)];
    client.resize(99, 33);
    client.stdin.write('until [ "$(stty size)" = "33 99" ]; do sleep 0.1; done; echo si"ze"\n');
    await shows(seen, 'size\r\n');
    await shows(too, 'size\r\n');
    client.vanish();
    await client.closed;
    other.stdin.write('echo st"ill"\n');
    await shows(too, 'still\r\n');
    other.stdin.write('exit 5\n');
    t.same(JSON.parse(await other.status), SUCCESS);
    t.equal((await pod.exited(id)).exitCode, 5);
  });

  t.test(`${name}: a container ends while a client does not read; the others get the rest of its output`, async (t) => {
    const id = await pod.start(node.busybox, {
      command: ['sh', '-c', 'read go; exec yes 0123456789abcdef0123456789abcdef0123456789abcdef'],
      stdin: true,
    });
    const { good, stuck, received } = await goodAndStuck(id);
    const { logPath } = await pod.status(id);
    let [size, same] = [0, 0];
    await until('the container is held up', async () => {
      const before = size;
      size = (await stat(logPath)).size;
      same = size > 0 && size === before ? same + 1 : 0;
      return same === 30;
    });
    await node.daemon.cri.stopContainer({ containerId: id, timeout: '0' });
    t.same(JSON.parse(await good.status), SUCCESS);
    const lines = await readLog(logPath);
    const logged = lines.reduce((bytes, { tag, text }) => bytes + text.length + (tag === 'F' ? 1 : 0), 0);
    t.equal(received(), logged, 'all that is in the log');
    stuck.vanish();
  });

  t.test(`${name}: a client that does not read is cut off; the log and others go on and lose nothing`, async (t) => {
    const lines = 200_000;
    const id = await pod.start(node.busybox, {
      command: ['sh', '-c', `read go; yes 0123456789abcdef0123456789abcdef0123456789abcdef | head -n ${lines}`],
      stdin: true,
    });
    const { good, stuck, received } = await goodAndStuck(id);
    const { exitCode, logPath } = await pod.exited(id, 60_000);
    t.equal(exitCode, 0);
    t.same(JSON.parse(await good.status), SUCCESS);
    t.equal(received(), lines * 49, 'the client that reads gets every byte');
    t.equal((await readLog(logPath)).length, lines, 'and so does the log');
    stuck.vanish();
  });
}

t.test('an input for a container that has none goes nowhere', async (t) => {
  const id = await pod.start(node.busybox, { command: ['sh', '-c', 'sleep 1; echo done'] });
  const { url } = await node.daemon.cri.attach({ containerId: id, stdin: true, stdout: true });
  const client = await overSpdy(url, { stdin: true, stdout: true });
  for (let i = 0; i < 64; i++) client.stdin.write(Buffer.alloc(1 << 16));
  t.equal(await textOf(client.stdout), 'done\n');
  t.same(JSON.parse(await client.status), SUCCESS);
});

t.test('only to what runs', async (t) => {
  const { cri } = node.daemon;
  const created = await pod.create(node.busybox);
  await t.rejects(cri.attach({ containerId: created, stdout: true }), { code: status.FAILED_PRECONDITION });
  await t.rejects(cri.attach({ containerId: '0'.repeat(64), stdout: true }), { code: status.NOT_FOUND });
  await t.rejects(cri.attach({ containerId: created }), { code: status.INVALID_ARGUMENT });
  await t.rejects(cri.attach({ containerId: created, tty: true, stderr: true }), { code: status.INVALID_ARGUMENT });
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
