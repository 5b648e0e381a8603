import { mkdtemp, rm } from 'node:fs/promises';
import http2 from 'node:http2';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, type ServiceDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { implement } from './call.js';
import { Calls } from './calls.js';
import { loadCri } from './proto.js';
import { listen, shutdown } from './server.js';

const { runtime } = loadCri();
const GRACE_MS = 100;

/** A server whose Version and StreamContainers begin and never end. */
const serveForEver = async (t: Test) => {
  // A socket's path has at most 107 bytes.
  const directory = await mkdtemp(join(tmpdir(), 'server-'));
  const socket = join(directory, 's');
  const calls = new Calls();
  const begun: Array<() => void> = [];
  const bothBegun = Promise.all([1, 2].map(() => new Promise<void>((resolve) => begun.push(resolve))));
  const never = () => {
    begun.pop()?.();
    return new Promise<never>(() => undefined);
  };
  const rpcs = {
    unary: { Version: never },
    streams: {
      // oxlint-disable-next-line require-yield -- it waits for ever
      StreamContainers: async function* () {
        await never();
      },
    },
  };
  const implementation = implement(runtime, rpcs, pino({ level: 'silent' }), calls);
  const server = await listen(socket, [{ definition: runtime, implementation }]);
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  t.teardown(() => {
    client.close();
    return rm(directory, { recursive: true });
  });
  const method = (name: string) => runtime[name] as ServiceDefinition[string];
  const version = () =>
    new Promise<ServiceError | null>((resolve) => {
      const { path, requestSerialize, responseDeserialize } = method('Version');
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, (error) => resolve(error));
    });
  const stream = () =>
    new Promise<ServiceError | null>((resolve) => {
      const { path, requestSerialize, responseDeserialize } = method('StreamContainers');
      const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {});
      call.once('error', resolve);
      call.once('end', () => resolve(null));
      call.resume();
    });
  return { socket, server, calls, version, stream, bothBegun };
};

t.test('calls that do not end are told that the daemon stops, and it does', async (t) => {
  const { server, calls, version, stream, bothBegun } = await serveForEver(t);
  const answers = Promise.all([version(), stream()]);
  await bothBegun;
  await shutdown(server, calls, GRACE_MS);
  for (const answer of await answers)
    t.match(answer, { code: status.UNAVAILABLE, details: /^the daemon stops: .*; ask again when it is back$/ });
  t.match(await version(), { code: status.UNAVAILABLE }, 'nobody is served any more');
});

t.test('a client that holds its connection open and reads nothing does not hold up the end', async (t) => {
  const { socket, server, calls, version, stream, bothBegun } = await serveForEver(t);
  const deaf = http2.connect('http://localhost', { createConnection: () => connect(socket) });
  t.teardown(() => deaf.destroy());
  const request = deaf.request({ ':method': 'POST', ':path': runtime['Version']?.path, te: 'trailers' });
  request.on('error', () => undefined).write('half a request');
  const answers = Promise.all([version(), stream()]);
  await bothBegun;
  await shutdown(server, calls, GRACE_MS);
  t.equal((await answers).length, 2);
});
