import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { Reader, Writer } from './marshal.js';
import { decodeMessage, encodeMessage, type Message } from './message.js';
import { Systemd } from './systemd.js';

/** A systemd of our own: says hello as D-Bus does and answers as the test tells it to. */
class Manager {
  readonly calls: Message[] = [];
  readonly sockets: Socket[] = [];
  answer: (call: Message, send: (message: Partial<Message>) => void) => void = (call, send) => {
    send(reply(call));
  };

  private constructor(
    readonly path: string,
    private readonly server: Server,
  ) {}

  static async start(test: Pick<typeof t, 'teardown'>, name = 'private'): Promise<Manager> {
    const home = mkdtempSync(join(tmpdir(), 'jangada-bus-')); // short: a socket's path holds 107 bytes
    const path = join(home, name);
    const server = createServer();
    const manager = new Manager(path, server);
    server.on('connection', (socket) => manager.#serve(socket));
    test.teardown(() => {
      manager.stop();
      rmSync(home, { recursive: true });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return manager;
  }

  stop(): void {
    this.server.close();
    this.hangUp();
  }

  hangUp(): void {
    for (const socket of this.sockets.splice(0)) socket.destroy();
  }

  #serve(socket: Socket): void {
    let received = Buffer.alloc(0);
    let begun = false;
    this.sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      received = Buffer.concat([received, data]);
      if (!begun) {
        const begin = received.indexOf('BEGIN\r\n');
        if (begin < 0 && received.includes('AUTH')) socket.write('OK 0123456789abcdef\r\n');
        begun = begin >= 0;
        received = begun ? received.subarray(begin + 'BEGIN\r\n'.length) : Buffer.alloc(0);
        if (!begun) return;
      }
      for (let next = decodeMessage(received); next; next = decodeMessage(received)) {
        received = received.subarray(next.end);
        this.calls.push(next.message);
        this.answer(next.message, (message) =>
          socket.write(encodeMessage({ type: 'return', serial: 1, body: [], ...message })),
        );
      }
    });
  }
}

const reply = (call: Message, signature = '', body: unknown[] = []): Partial<Message> => ({
  type: 'return',
  replySerial: call.serial,
  signature,
  body,
});
const failure = (call: Message, name: string): Partial<Message> => ({
  type: 'error',
  replySerial: call.serial,
  errorName: `org.freedesktop.systemd1.${name}`,
  signature: 's',
  body: [name],
});
const removed = (unit: string, result: string): Partial<Message> => ({
  type: 'signal',
  path: '/org/freedesktop/systemd1',
  interface: 'org.freedesktop.systemd1.Manager',
  member: 'JobRemoved',
  signature: 'uoss',
  body: [7, '/org/freedesktop/systemd1/job/7', unit, result],
});

const open = async (test: Pick<typeof t, 'teardown'>, name?: string) => {
  const manager = await Manager.start(test, name);
  const systemd = new Systemd([manager.path]);
  test.teardown(() => systemd.close());
  return { manager, systemd };
};

t.test('a start is over when its job is, even if that is told before the reply', async (t) => {
  const { manager, systemd } = await open(t);
  manager.answer = (call, send) => {
    if (call.member === 'StartTransientUnit') {
      send(removed('other.scope', 'failed'));
      send(removed('x.scope', 'done'));
    }
    send(reply(call));
  };
  await systemd.start('x.scope', [
    ['Slice', { signature: 's', value: 'a.slice' }],
    ['PIDs', { signature: 'au', value: [1, 2] }],
    ['AllowedCPUs', { signature: 'ay', value: Uint8Array.of(3) }],
    ['MemoryMax', { signature: 't', value: 2n ** 64n - 1n }],
  ]);
  const call = manager.calls.find(({ member }) => member === 'StartTransientUnit');
  t.equal(call?.signature, 'ssa(sv)a(sa(sv))');
  t.same(call?.body, [
    'x.scope',
    'fail',
    [
      ['Slice', { signature: 's', value: 'a.slice' }],
      ['PIDs', { signature: 'au', value: [1, 2] }],
      ['AllowedCPUs', { signature: 'ay', value: Uint8Array.of(3) }],
      ['MemoryMax', { signature: 't', value: 2n ** 64n - 1n }],
    ],
    [],
  ]);
});

t.test('a job that fails is an error that names the unit', async (t) => {
  const { manager, systemd } = await open(t);
  manager.answer = (call, send) => {
    send(reply(call));
    if (call.member === 'StartTransientUnit') send(removed('x.scope', 'failed'));
  };
  await t.rejects(systemd.start('x.scope', []), { message: /^job failed: systemd unit x\.scope/ });
});

t.test('a refusal is told as systemd words it', async (t) => {
  const { manager, systemd } = await open(t);
  manager.answer = (call, send) => send(call.member === 'SetUnitProperties' ? failure(call, 'Nonsense') : reply(call));
  await t.rejects(systemd.setProperties('x.scope', []), { name: 'DBusReplyError', message: 'Nonsense' });
});

t.test('stopping what is not there is done', async (t) => {
  const { manager, systemd } = await open(t);
  manager.answer = (call, send) => send(call.member === 'Subscribe' ? reply(call) : failure(call, 'NoSuchUnit'));
  await t.resolves(systemd.stop('x.scope'));
});

t.test('two who stop one unit at once both hear of its end', async (t) => {
  const { manager, systemd } = await open(t);
  let stops = 0;
  manager.answer = (call, send) => {
    send(reply(call));
    if (call.member === 'StopUnit' && ++stops === 2) send(removed('x.scope', 'done'));
  };
  await Promise.all([systemd.stop('x.scope'), systemd.stop('x.scope')]);
  t.equal(stops, 2);
});

t.test('who needs a connection at the same time gets the same one', async (t) => {
  const { manager, systemd } = await open(t);
  const properties = () => Promise.all(['Version', 'Features', 'Version'].map((name) => systemd.property(name)));
  manager.answer = (call, send) => send(reply(call, 'v', [{ signature: 's', value: '252' }]));
  t.strictSame(await properties(), ['252', '252', '252']);
  t.equal(manager.sockets.length, 1);
});

t.test('a broken connection is made again, and what may be done twice is done again', async (t) => {
  const { manager, systemd } = await open(t);
  await systemd.setProperties('x.scope', []);
  manager.hangUp();
  await systemd.setProperties('x.scope', []);
  let first = true;
  manager.answer = (call, send) => {
    if (call.member !== 'SetUnitProperties' || !first) return send(reply(call));
    first = false;
    manager.hangUp();
  };
  await systemd.setProperties('x.scope', []);
  t.equal(manager.calls.filter(({ member }) => member === 'Subscribe').length, 3, 'three connections');
});

t.test('a start whose reply was lost is not made twice', async (t) => {
  const { manager, systemd } = await open(t);
  let starts = 0;
  manager.answer = (call, send) => {
    if (call.member === 'StartTransientUnit' && ++starts === 1) return manager.hangUp();
    if (call.member === 'StartTransientUnit') return send(failure(call, 'UnitExists'));
    if (call.member === 'GetUnit') return send(reply(call, 'o', ['/unit']));
    if (call.member === 'Get') return send(reply(call, 'v', [{ signature: 's', value: 'active' }]));
    return send(reply(call));
  };
  await systemd.start('x.scope', []);
  t.equal(starts, 2);
});

t.test('a job whose end was lost ends as the unit says', async (t) => {
  const { manager, systemd } = await open(t);
  manager.answer = (call, send) => {
    send(call.member === 'GetUnit' ? failure(call, 'NoSuchUnit') : reply(call));
    if (call.member === 'StopUnit' || call.member === 'StartTransientUnit') setImmediate(() => manager.hangUp());
  };
  await systemd.stop('x.scope');
  await t.rejects(systemd.start('x.scope', []), { message: /^job inactive/ });
});

t.test('reloads are told when systemd answers again', async (t) => {
  const { manager, systemd } = await open(t);
  let told: () => void = () => undefined;
  const next = () =>
    new Promise<void>((resolve) => {
      told = resolve;
    });
  manager.answer = (call, send) => {
    const reloading = (begins: boolean): Partial<Message> => ({
      ...removed('', ''),
      member: 'Reloading',
      signature: 'b',
      body: [begins],
    });
    send(call.member === 'Get' ? reply(call, 'v', [{ signature: 's', value: '252' }]) : reply(call));
    if (call.member === 'SetUnitProperties') for (const begins of [true, false]) send(reloading(begins));
  };
  systemd.watchReloads(() => told());
  const reloaded = next();
  await systemd.setProperties('x.scope', []);
  await reloaded;
  const again = next();
  manager.hangUp();
  await t.resolves(again, 'executed anew: another connection');
});

t.test('a bus is greeted and asked for the signals', async (t) => {
  const { manager, systemd } = await open(t, 'system_bus_socket');
  manager.answer = (call, send) =>
    send(call.member === 'Get' ? reply(call, 'v', [{ signature: 's', value: '252' }]) : reply(call));
  t.equal(await systemd.property('Version'), '252');
  t.same(
    manager.calls.map(({ member }) => member),
    ['Hello', 'AddMatch', 'Subscribe', 'Get'],
  );
});

t.test('nobody to speak to is an error that says where', async (t) => {
  const systemd = new Systemd(['/no/such/private', '/no/such/bus']);
  await t.rejects(systemd.property('Version'), {
    message: /^cannot reach systemd: .*\/no\/such\/private.*\/no\/such\/bus/,
  });
});

t.test('what is not D-Bus ends the connection, not the daemon', async (t) => {
  const { manager, systemd } = await open(t);
  await systemd.setProperties('x.scope', []);
  manager.sockets[0]?.write(Buffer.alloc(64, 0xff));
  await t.resolves(systemd.setProperties('x.scope', []));
});

t.test('values come out as they went in', async (t) => {
  const value = fc.tuple(
    fc.string().filter((text) => !text.includes('\0')),
    fc.boolean(),
    fc.nat(),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.uint8Array(),
    fc.array(fc.nat()),
    fc.array(fc.tuple(fc.constant('name'), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))),
  );
  const signature = 'sbutayaua(sv)';
  const all = () =>
    fc.assert(
      fc.property(value, ([s, b, u, big, bytes, list, pairs]) => {
        const values = [
          s,
          b,
          u,
          big,
          bytes,
          list,
          pairs.map(([name, number]) => [name, { signature: 't', value: number }]),
        ];
        const read = new Reader(new Writer().all(signature, values).bytes()).all(signature);
        const plain = (what: unknown) =>
          JSON.stringify(what, (_, part: unknown) => (typeof part === 'bigint' ? part.toString() : part));
        return plain(read) === plain(values);
      }),
    );
  t.doesNotThrow(all);
});

t.test('any bytes are a message, not yet one, or an error', async (t) => {
  const start = encodeMessage({
    type: 'signal',
    serial: 1,
    path: '/a',
    member: 'b',
    signature: 'as',
    body: [['x', 'y']],
  });
  const all = () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(start.length - 1), fc.integer({ min: 0, max: 255 }))), (changes) => {
        const damaged = Buffer.from(start);
        for (const [at, byte] of changes) damaged[at] = byte;
        try {
          decodeMessage(damaged);
        } catch (error) {
          return error instanceof Error;
        }
        return true;
      }),
      { numRuns: 2000 },
    );
  t.doesNotThrow(all);
});
