import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FrameConnection } from './frame-connection.js';
import { ERROR, EXEC, EXEC_OUTPUT, EXITED, LIST, START } from '../gen/messages.js';
import { encodeFrame, FrameReader, replyTo } from './frame.js';
import { SupervisorError } from './supervisor-error.js';
import type { Fields, FieldWriter } from './wire.js';

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

const options = { deadlineMs: 10_000 };
const command = { id: 'box', plan: Buffer.alloc(0), timeoutMs: 0, captureLimit: 10 };
const nothing = () => undefined;
const emptyList = (podInitPid: number) => (w: FieldWriter) => {
  w.bool(2, true);
  w.integer(3, podInitPid, 4, 'pid');
};

t.test('answers find their requests in any order; output goes to the one it belongs to', async (t) => {
  const { connection, peer, next, events } = await connected(t);
  const output: string[] = [];
  const first = connection.request(EXEC, command, {
    ...options,
    onOutput: ({ stream, data }) => output.push(`${stream} ${data}`),
  });
  const [one] = await next();
  const second = connection.request(LIST, {}, options);
  const [two] = await next();
  if (!one || !two) throw new Error('no requests');
  const send = (type: number, tag: number, write: (w: FieldWriter) => void) =>
    peer.write(encodeFrame(type, tag, write));
  send(EXEC_OUTPUT.type, one.tag, (w) => {
    w.integer(1, 1, 1, 'stream');
    w.text(2, 'text');
  });
  send(EXITED.type, 0, (w) => w.text(1, 'box'));
  send(replyTo(LIST.type), two.tag, emptyList(2));
  send(ERROR.type, one.tag, (w) => {
    w.integer(1, 2, 4, 'errno');
    w.text(2, 'exec');
    w.text(3, 'no such file');
  });
  t.equal((await second).podInitPid, 2);
  await t.rejects(first, { code: 'ENOENT', errno: 2, step: 'exec', message: 'no such file' });
  t.same(output, ['stdout text']);
  t.equal(events[0]?.string(1), 'box');
});

t.test('a request that is not answered ends at its deadline; the late answer harms nobody', async (t) => {
  const { connection, peer, next } = await connected(t);
  const late = connection.request(LIST, {}, { deadlineMs: 1 });
  const rejected = t.rejects(late, { code: 'ETIMEDOUT', step: 'list' });
  const [request] = await next();
  await rejected;
  peer.write(encodeFrame(replyTo(LIST.type), request?.tag ?? 0, emptyList(0)));
  const after = connection.request(LIST, {}, options);
  const [second] = await next();
  peer.write(encodeFrame(replyTo(LIST.type), second?.tag ?? 0, emptyList(0)));
  await t.resolves(after);
});

t.test('when the peer goes, every request learns it', async (t) => {
  const { connection, peer, next, closed } = await connected(t);
  const request = connection.request(LIST, {}, options);
  await next();
  peer.destroy();
  await t.rejects(request, { code: 'ECONNRESET' });
  await closed;
  await t.rejects(connection.request(LIST, {}, options), { code: 'ECONNRESET' });
});

for (const [what, frame] of [
  ['an answer to no request', encodeFrame(replyTo(LIST.type), 99, nothing)],
  ['an answer to another request', encodeFrame(replyTo(START.type), 1, nothing)],
  ['garbage', Buffer.alloc(64)],
] as const)
  t.test(`${what} ends the connection`, async (t) => {
    const { connection, peer, next, closed } = await connected(t);
    const request = connection.request(LIST, {}, options);
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
