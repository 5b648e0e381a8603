import { EventEmitter } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, type Server, type ServiceDefinition, status } from '@grpc/grpc-js';
import { pino } from 'pino';
import t from 'tap';
import type { Rpcs, StreamRpc } from '../cri/rpc.js';
import { notFound, resourceExhausted } from '../base/errors.js';
import { implement, toStatus } from './call.js';
import { Calls } from './calls.js';
import { loadCri } from './proto.js';
import { listen } from './server.js';

const log = pino({ level: 'silent' });
const { runtime, image } = loadCri();

const implemented = (rpcs: Partial<Rpcs>, calls = new Calls()) =>
  implement(runtime, { unary: {}, streams: {}, ...rpcs }, log, calls);

/** Calls a unary method as the server would. */
const call = (service: ReturnType<typeof implement>, name: string): Promise<{ error: unknown; reply: unknown }> =>
  new Promise((resolve) => {
    (service[name] as (call: object, callback: (error: unknown, reply: unknown) => void) => void)(
      Object.assign(new EventEmitter(), { request: {} }),
      (error, reply) => resolve({ error, reply }),
    );
  });

t.test('the 1.37 proto has 37 runtime and 6 image RPCs, and every one of them answers', async (t) => {
  t.equal(Object.keys(runtime).length, 37);
  t.equal(Object.keys(image).length, 6);
  t.equal(Object.keys(implemented({})).length, 37);
});

t.test('a result, a thrown error and a synchronous throw each take their way out', async (t) => {
  const service = implemented({
    unary: {
      Version: async () => ({ version: 'x' }),
      Status: async () => Promise.reject(notFound('no such thing')),
      RuntimeConfig: () => {
        throw new TypeError('broken');
      },
    },
  });
  t.same(await call(service, 'Version'), { error: null, reply: { version: 'x' } });
  t.match((await call(service, 'Status')).error, { code: status.NOT_FOUND, details: 'no such thing' });
  t.match((await call(service, 'RuntimeConfig')).error, { code: status.INTERNAL, details: 'broken' });
  t.match((await call(service, 'ListContainers')).error, { code: status.UNIMPLEMENTED, details: /^ListContainers: / });
});

t.test('an RPC that the proto does not have, or has otherwise, is a mistake of ours', async (t) => {
  const none = async () => ({});
  const nothing: StreamRpc = async function* () {};
  t.throws(() => implemented({ unary: { RunPod: none } }), { message: /RunPod/ });
  t.throws(() => implemented({ unary: { StreamContainers: none } }), { message: /StreamContainers/ });
  t.throws(() => implemented({ streams: { Version: nothing } }), { message: /Version/ });
});

t.test('what goes wrong becomes the status that tells a client what to do', async (t) => {
  t.same(toStatus(resourceExhausted('full')), { code: status.RESOURCE_EXHAUSTED, details: 'full' });
  const full = Object.assign(new Error('write failed'), { code: 'ENOSPC' });
  t.match(toStatus(full), { code: status.RESOURCE_EXHAUSTED, details: /^no space left on device: / });
  for (const [code, expected] of [
    ['ECONNRESET', status.UNAVAILABLE],
    ['EPIPE', status.UNAVAILABLE],
    ['ETIMEDOUT', status.DEADLINE_EXCEEDED],
  ] as const)
    t.same(toStatus(Object.assign(new Error('closed'), { code })), { code: expected, details: 'closed' }, code);
  t.same(toStatus('odd'), { code: status.INTERNAL, details: 'odd' });
});

const serve = async (test: Pick<typeof t, 'teardown'>, rpc: StreamRpc) => {
  // A socket's path has at most 107 bytes.
  const directory = await mkdtemp(join(tmpdir(), 'call-'));
  const socket = join(directory, 's');
  const server: Server = await listen(socket, [
    { definition: runtime, implementation: implemented({ streams: { StreamContainers: rpc } }) },
  ]);
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  test.teardown(() => {
    client.close();
    server.forceShutdown();
    return rm(directory, { recursive: true });
  });
  const { path, requestSerialize, responseDeserialize } = runtime['StreamContainers'] as ServiceDefinition[string];
  return { socket, start: () => client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {}) };
};

t.test('a stream ends after its last message', async (t) => {
  const { start } = await serve(t, async function* () {
    for (const id of ['a', 'b']) yield { containers: [{ id }] };
  });
  const ids: string[] = [];
  for await (const { containers } of start()) ids.push(containers[0].id);
  t.same(ids, ['a', 'b']);
});

t.test('a stream that fails half-way says why', async (t) => {
  const { start } = await serve(t, async function* () {
    yield { containers: [{ id: 'a' }] };
    throw notFound('lost');
  });
  const ids: string[] = [];
  const read = async () => {
    for await (const { containers } of start()) ids.push(containers[0].id);
  };
  await t.rejects(read(), { code: status.NOT_FOUND, details: 'lost' });
  t.same(ids, ['a']);
});

t.test('a client that does not read holds its stream up and nothing else; one that goes ends it', async (t) => {
  const payload = 'x'.repeat(64 << 10);
  let produced = 0;
  let ended: (value: string) => void = () => undefined;
  const end = new Promise<string>((resolve) => (ended = resolve));
  let blocked: () => void = () => undefined;
  const { socket } = await serve(t, async function* (_request, signal) {
    signal.addEventListener('abort', () => ended('aborted'));
    try {
      for (;;) {
        produced++;
        // Much later than any message that flows would be taken.
        const stuck = setTimeout(blocked, 200);
        yield { containers: [{ id: payload }] };
        clearTimeout(stuck);
      }
    } finally {
      ended('finished');
    }
  });
  const isBlocked = new Promise<void>((resolve) => (blocked = resolve));
  // Not gRPC's own client: that one takes messages into its memory whether they are read or not.
  const session = http2.connect('http://localhost', { createConnection: () => connect(socket) });
  t.teardown(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': runtime['StreamContainers']?.path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.end(Buffer.alloc(5));
  await isBlocked;
  t.ok(produced < 200, `${produced} messages were made for a reader that takes none`);
  stream.close(http2.constants.NGHTTP2_CANCEL);
  t.equal(await end, 'aborted');
});
