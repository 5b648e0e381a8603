import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { invalidArgument } from '../../base/errors.js';
import { Mux, RUNTIME_SERVICE } from './mux.js';
import { TtrpcClient, TtrpcLost } from './ttrpc-client.js';
import { type Serve, TtrpcServer } from './ttrpc-server.js';
import { TTRPC_MOST } from './ttrpc-wire.js';

/** A client and a server at two ends of one connection. */
const connected = async (serve: Serve) => {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const left = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  const [right] = (await once(listener, 'connection')) as [Socket];
  listener.close();
  const mux = new Mux(left, (cause) => client.close(cause));
  const client: TtrpcClient = new TtrpcClient(mux.open(RUNTIME_SERVICE, (bytes) => client.receive(bytes)));
  const other = new Mux(right, () => undefined);
  const server: TtrpcServer = new TtrpcServer(
    other.open(RUNTIME_SERVICE, (bytes) => server.receive(bytes)),
    serve,
  );
  t.teardown(() => mux.close());
  return { client, left, right };
};

t.test('what is asked is answered, of any size', async (t) => {
  const { client } = await connected(async (service, method, payload) =>
    Buffer.concat([Buffer.from(`${service}.${method} `), payload]),
  );
  for (const size of [0, 1, 4000, 4090, 4096, 8192, 100_000]) {
    const answer = await client.call('s', 'm', Buffer.alloc(size, 'x'), 10_000);
    t.equal(answer.toString(), `s.m ${'x'.repeat(size)}`);
  }
  const answers = await Promise.all(['a', 'b', 'c'].map((method) => client.call('s', method, Buffer.alloc(0), 10_000)));
  t.same(answers.map(String), ['s.a ', 's.b ', 's.c ']);
  await t.rejects(client.call('s', 'm', Buffer.alloc(TTRPC_MOST), 10_000), { message: /the most is 4194304/ });
});

t.test('a refusal has its code and its words; silence and an end are losses', async (t) => {
  const { client, right } = await connected((_, method) => {
    if (method === 'no') return Promise.reject(invalidArgument('not so'));
    return new Promise(() => undefined);
  });
  await t.rejects(client.call('s', 'no', Buffer.alloc(0), 10_000), { code: 3, message: 'not so' });
  await t.rejects(client.call('s', 'silent', Buffer.alloc(0), 10), { message: 'no answer within 10 ms' });
  const waiting = client.call('s', 'silent', Buffer.alloc(0), 10_000);
  right.destroy();
  await t.rejects(waiting, { message: 'connection closed' });
  await t.rejects(client.call('s', 'm', Buffer.alloc(0), 10_000), { message: 'connection closed' });
});

t.test('any bytes end the connection or change nothing', async () => {
  const property = fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 }), async (chunks) => {
    const { client, left, right } = await connected(async () => Buffer.alloc(0));
    const closed = Promise.all([left, right].map((end) => new Promise((resolve) => end.on('close', resolve))));
    for (const chunk of chunks) if (chunk.length > 0 && right.writable) right.write(chunk);
    right.end();
    await closed;
    await client.call('s', 'm', Buffer.alloc(0), 1000).catch((error: unknown) => {
      if (!(error instanceof TtrpcLost)) throw error;
    });
  });
  await fc.assert(property, { numRuns: 30 });
});
