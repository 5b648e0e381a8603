import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { WebSocket, type RawData } from 'ws';
import { type Node, startNode } from './harness/node.js';
import { OWN_NETWORK, Pod, readLog } from './harness/pod.js';
import { ended, textOf } from './harness/remote.js';
import { type ClientStream, SpdyClient, upgrade } from './harness/spdy.js';
import { until } from './harness/wait.js';
import { overTunnel } from './harness/tunnel.js';

let node: Node;
let pod: Pod;

const serve = async (where: Pod, ...args: string[]): Promise<void> => {
  const id = await where.start(node.busybox, { command: ['/serve', ...args] });
  await until('the server to listen', async () => (await readLog((await where.status(id)).logPath)).length > 0);
};

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon, { linux: OWN_NETWORK });
  await serve(pod, '7000', '4', 'echo');
  await serve(pod, '7001', '6', 'echo');
  await serve(pod, '7002', '4', 'reset');
  await serve(pod, '7003', '4', 'source');
});

const urlOf = async (podSandboxId: string, port: number[] = []): Promise<string> =>
  (await node.daemon.cri.portForward({ podSandboxId, port })).url;

interface Forwarded {
  data: ClientStream;
  error: ClientStream;
}

let requests = 0;

/** As client-go does: the error stream first, which it only reads. */
const forward = async (client: SpdyClient, port: number): Promise<Forwarded> => {
  const headers = { port: String(port), requestid: String(requests++) };
  const error = await client.open({ streamtype: 'error', ...headers });
  error.end();
  return { error, data: await client.open({ streamtype: 'data', ...headers }) };
};

type Dial = (url: string) => Promise<SpdyClient>;

const overSpdy: Dial = async (url) => {
  const { socket, protocol } = await upgrade(url, ['portforward.k8s.io']);
  if (protocol !== 'portforward.k8s.io') throw new Error(`server chose ${protocol}`);
  return new SpdyClient(socket);
};

const echoes = async (t: Test, { data, error }: Forwarded, text: string) => {
  data.end(text);
  t.equal(await textOf(data), `${text}end`);
  t.equal(await textOf(error), '', 'no error');
};

for (const [name, dial] of [
  ['SPDY', overSpdy],
  ['SPDY in a WebSocket', overTunnel],
] as [string, Dial][]) {
  t.test(`${name}: to IPv4 and IPv6, one connection after another and many at once`, async (t) => {
    const client = await dial(await urlOf(pod.id));
    await echoes(t, await forward(client, 7000), 'one');
    await echoes(t, await forward(client, 7001), 'six');
    const many: Forwarded[] = [];
    for (let i = 0; i < 40; i++) many.push(await forward(client, 7000));
    await Promise.all(many.map((one, i) => echoes(t, one, `connection ${i}`)));
    client.ping(1);
    await until('the answer to a ping', async () => client.pongs.includes(1));
    client.destroy();
  });

  t.test(`${name}: a port that nobody listens on is an error in the field’s words`, async (t) => {
    const client = await dial(await urlOf(pod.id));
    const { data, error } = await forward(client, 7999);
    t.match(
      await textOf(error),
      /^error forwarding port 7999 to pod \w+, uid : failed to connect to localhost:7999 inside namespace ".+", IPv4: dial tcp4 127\.0\.0\.1:7999: connect: connection refused IPv6: dial tcp6 \[::1\]:7999: connect: connection refused$/i,
    );
    t.equal(await textOf(data), '', 'and the end of the data');
    await echoes(t, await forward(client, 7000), 'still here');
    client.destroy();
  });

  t.test(`${name}: kubernetes#74551: a connection that breaks does not take the others with it`, async (t) => {
    const client = await dial(await urlOf(pod.id));
    const [good, bad] = [await forward(client, 7000), await forward(client, 7002)];
    bad.data.resume().write('x');
    await ended(bad.data);
    t.equal(await textOf(bad.error), '', 'nothing on the error stream, which would end all');
    await echoes(t, good, 'alive');
    client.destroy();
  });

  t.test(`${name}: any volume goes both ways at once, unchanged`, async (t) => {
    const client = await dial(await urlOf(pod.id));
    const { data } = await forward(client, 7000);
    const received = createHash('sha256');
    data.on('data', (piece: Buffer) => void received.update(piece));
    const sent = createHash('sha256');
    for (let i = 0; i < 32; i++) {
      const chunk = randomBytes(1 << 20);
      sent.update(chunk);
      if (!data.write(chunk)) await once(data, 'drain');
    }
    data.end();
    await once(data, 'end');
    t.equal(received.digest('hex'), sent.update('end').digest('hex'));
    client.destroy();
  });

  t.test(`${name}: any volume, and a client that resets a stream frees its connection`, async (t) => {
    const client = await dial(await urlOf(pod.id));
    const { data } = await forward(client, 7003);
    await receives(data, 256 << 20);
    data.reset();
    data.destroy();
    await sourceIsFree();
    await echoes(t, await forward(client, 7000), 'after');
    client.destroy();
  });

  t.test(`${name}: a client that has ended its side and goes then frees the connection, too`, async (t) => {
    const client = await dial(await urlOf(pod.id));
    const { data } = await forward(client, 7003);
    data.end();
    await receives(data, 1 << 20);
    data.reset();
    data.destroy();
    await sourceIsFree();
    await echoes(t, await forward(client, 7000), 'after');
    client.destroy();
  });
}

const receives = (data: ClientStream, wanted: number): Promise<void> =>
  new Promise((resolve) => {
    let received = 0;
    data.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received >= wanted) resolve();
    });
  });

/** 1B5B is 7003; 01 is an established connection, 08 one whose client has ended. */
const sourceIsFree = async () => {
  const { id } = await running();
  const free = async () =>
    !/:1B5B [0-9A-F]{8}:[0-9A-F]{4} 0[18]/.test((await pod.exec(id, 'cat', '/proc/net/tcp')).stdout);
  await until('the end of the connection', free);
};

const running = async () => {
  const { containers } = await node.daemon.cri.listContainers({ filter: { podSandboxId: pod.id } });
  const [first] = containers;
  if (!first) throw new Error('no container');
  return first;
};

t.test('a pod on the host’s network: the host’s ports', async (t) => {
  const host = await Pod.run(node.daemon);
  const server = createServer((socket) => socket.end('of the host'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = await overSpdy(await urlOf(host.id));
  const { data } = await forward(client, (server.address() as AddressInfo).port);
  t.equal(await textOf(data), 'of the host');
  client.destroy();
  server.close();
  await host.remove();
});

t.test('streams that belong to no connection are refused, the others go on', async (t) => {
  const client = await overSpdy(await urlOf(pod.id));
  for (const headers of [
    { streamtype: 'data', port: '0', requestid: 'a' },
    { streamtype: 'data', port: '65536', requestid: 'b' },
    { streamtype: 'data', port: '7e3x', requestid: 'c' },
    { streamtype: 'stdin', port: '7000', requestid: 'd' },
    { port: '7000', requestid: 'e' },
  ] as Record<string, string>[])
    await t.rejects(client.open(headers), { message: /refused/ }, JSON.stringify(headers));
  const error = await client.open({ streamtype: 'error', port: '7000' });
  error.end();
  const data = await client.open({ streamtype: 'data', port: '7000' });
  await echoes(t, { data, error }, 'without an id, as before Kubernetes 1.3');
  client.destroy();
});

t.test('a WebSocket without SPDY: the ports of the request, in pairs of channels', async (t) => {
  const socket = new WebSocket((await urlOf(pod.id, [7000, 7999])).replace('http', 'ws'), ['v4.channel.k8s.io']);
  const channels: Buffer[] = [0, 1, 2, 3].map(() => Buffer.alloc(0));
  socket.on('message', (data: RawData) => {
    const [channel = 0] = data as Buffer;
    channels[channel] = Buffer.concat([channels[channel] ?? Buffer.alloc(0), (data as Buffer).subarray(1)]);
  });
  await once(socket, 'open');
  socket.send(Buffer.from([0, ...Buffer.from('hello')]));
  const [data = () => '', error = () => '', none = () => '', refused = () => ''] = channels.map(
    (_, i) => () => channels[i]?.toString('latin1'),
  );
  await until('the echo', async () => data() === '\x58\x1bhello');
  t.equal(error(), '\x58\x1b', 'the port, and no error');
  t.equal(none(), '\x3f\x1f');
  t.match(refused(), /^\x3f\x1ferror forwarding port 7999/);
  socket.close();
});

t.test('only to pods that are ready', async (t) => {
  const { cri } = node.daemon;
  const stopped = await Pod.run(node.daemon);
  await cri.stopPodSandbox({ podSandboxId: stopped.id });
  await t.rejects(cri.portForward({ podSandboxId: stopped.id }), { code: status.FAILED_PRECONDITION });
  await t.rejects(cri.portForward({ podSandboxId: '0'.repeat(64) }), { code: status.NOT_FOUND });
  await t.rejects(cri.portForward({ podSandboxId: pod.id, port: [0] }), {
    code: status.INVALID_ARGUMENT,
    details: /port/,
  });
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
