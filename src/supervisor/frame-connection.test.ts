import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FrameConnection } from './frame-connection.js';
import { bytesField, encodeFrame, type Fields, FrameReader, Message, replyTo } from './frames.js';
import { integer } from './plan-field.js';
import { SupervisorError } from './supervisor-error.js';

/** A connection whose peer the test plays. */
async function connected(t: Test) {
  const directory = await mkdtemp(join(tmpdir(), 'jangada-frames-'));
  const server = createServer().listen(join(directory, 'socket'));
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const socket = createConnection(join(directory, 'socket'));
  const [peer] = await accepted;
  const events: Fields[] = [];
  let ended: (cause: unknown) => void = () => undefined;
  const closed = new Promise((done) => {
    ended = done;
  });
  const connection = new FrameConnection(socket, (_type, fields) => events.push(fields), ended);
  t.teardown(async () => {
    connection.close();
    peer.destroy();
    server.close();
    await rm(directory, { recursive: true });
  });
  const requests = new FrameReader();
  const next = async () => {
    const [chunk] = (await once(peer, 'data')) as [Buffer];
    return requests.push(chunk);
  };
  return { connection, peer, next, events, closed };
}

const options = { name: 'list', deadlineMs: 10_000 };

t.test('answers find their requests in any order; output goes to the one it belongs to', async (t) => {
  const { connection, peer, next, events } = await connected(t);
  const output: string[] = [];
  const first = connection.request(Message.EXEC, [], {
    ...options,
    onOutput: (fields) => output.push(fields.string(2)),
  });
  const [one] = await next();
  const second = connection.request(Message.LIST, [], options);
  const [two] = await next();
  if (!one || !two) throw new Error('no requests');
  peer.write(encodeFrame(Message.EXEC_OUTPUT, one.tag, [integer(1, 1, 1, 'n'), bytesField(2, 'text')]));
  peer.write(encodeFrame(Message.EXITED, 0, [bytesField(1, 'box')]));
  peer.write(encodeFrame(replyTo(Message.LIST), two.tag, [integer(1, 2, 4, 'n')]));
  peer.write(
    encodeFrame(Message.ERROR, one.tag, [integer(1, 2, 4, 'n'), bytesField(2, 'exec'), bytesField(3, 'no such file')]),
  );
  t.equal((await second).u32(1), 2);
  await t.rejects(first, { code: 'ENOENT', errno: 2, step: 'exec', message: 'no such file' });
  t.same(output, ['text']);
  t.equal(events[0]?.string(1), 'box');
});

t.test('a request that is not answered ends at its deadline; the late answer harms nobody', async (t) => {
  const { connection, peer, next } = await connected(t);
  const late = connection.request(Message.LIST, [], { name: 'list', deadlineMs: 1 });
  const rejected = t.rejects(late, { code: 'ETIMEDOUT', step: 'list' });
  const [request] = await next();
  await rejected;
  peer.write(encodeFrame(replyTo(Message.LIST), request?.tag ?? 0, []));
  const after = connection.request(Message.LIST, [], options);
  const [second] = await next();
  peer.write(encodeFrame(replyTo(Message.LIST), second?.tag ?? 0, []));
  await t.resolves(after);
});

t.test('when the peer goes, every request learns it', async (t) => {
  const { connection, peer, next, closed } = await connected(t);
  const request = connection.request(Message.LIST, [], options);
  await next();
  peer.destroy();
  await t.rejects(request, { code: 'ECONNRESET' });
  await closed;
  await t.rejects(connection.request(Message.LIST, [], options), { code: 'ECONNRESET' });
});

for (const [what, frame] of [
  ['an answer to no request', encodeFrame(replyTo(Message.LIST), 99, [])],
  ['an answer to another request', encodeFrame(replyTo(Message.START), 1, [])],
  ['garbage', Buffer.alloc(64)],
] as const)
  t.test(`${what} ends the connection`, async (t) => {
    const { connection, peer, next, closed } = await connected(t);
    const request = connection.request(Message.LIST, [], options);
    await next();
    peer.write(frame);
    await t.rejects(request, { code: 'ECONNRESET' });
    t.match(await closed, { name: 'ProtocolError' });
  });

t.test('an errno has its usual name', async (t) => {
  t.equal(new SupervisorError(11, 'exec', '').code, 'EAGAIN');
  t.equal(new SupervisorError(2, 'exec', '').code, 'ENOENT');
  t.equal(new SupervisorError(9999, 'exec', '').code, 'E9999');
});
