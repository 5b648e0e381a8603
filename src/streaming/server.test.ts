import { once } from 'node:events';
import { connect, Server, type Socket } from 'node:net';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { defaultConfig } from '../base/config.js';
import type { LIMITS } from './connections.js';
import { type Session, StreamingServer } from './server.js';

t.test('a connection that cannot be accepted is logged; the server goes on', async (t) => {
  const lines: string[] = [];
  const log = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) });
  const listening: Server[] = [];
  const emit = Reflect.get(Server.prototype, 'emit') as (...args: unknown[]) => boolean;
  t.intercept(Server.prototype, 'emit', {
    value: function (this: Server, event: string, ...args: unknown[]) {
      if (event === 'listening') listening.push(this);
      return Reflect.apply(emit, this, [event, ...args]);
    },
  });
  const server = new StreamingServer(defaultConfig().streaming, log, () => Promise.resolve());
  await server.listen();
  t.teardown(() => server.close());
  const error = Object.assign(new Error('accept ENFILE'), { code: 'ENFILE' });
  for (let i = 0; i < 3; i++) listening[0]?.emit('error', error);
  t.equal(lines.filter((line) => line.includes('accept ENFILE')).length, 3);
  const { origin } = new URL(server.urlFor({ kind: 'portforward', sandboxId: 'x', ports: [] }));
  t.equal((await fetch(origin)).status, 404);
});

const silent = pino({ level: 'silent' });

/** Serves a client until it goes. */
const serve = (session: Session): Promise<void> =>
  new Promise((resolve) => {
    if ('transport' in session)
      session.transport
        .on('end', () => session.transport.destroy())
        .on('close', resolve)
        .resume();
  });

/** A server with other limits, and how to connect to it. */
const bounded = async (t: Test, limits: typeof LIMITS) => {
  const server = new StreamingServer(defaultConfig().streaming, silent, serve, limits);
  await server.listen();
  const url = () => new URL(server.urlFor({ kind: 'portforward', sandboxId: 'x', ports: [] }));
  const port = Number(url().port);
  const sockets: Socket[] = [];
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await server.close();
  });
  const dial = async (): Promise<Socket> => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true }).on('error', () => undefined);
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  const ask = async (path: string): Promise<{ socket: Socket; answer: string }> => {
    const socket = await dial();
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n` +
        'X-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n',
    );
    const closed = new Promise<['']>((resolve) => socket.once('close', () => resolve([''])));
    const [answer] = (await Promise.race([once(socket, 'data'), closed])) as [Buffer | string];
    return { socket, answer: answer.toString() };
  };
  return { dial, ask, stream: () => ask(url().pathname) };
};

/** Resolves when the other side has let go of it. */
const gone = (socket: Socket): Promise<unknown> => {
  socket.resume();
  return socket.readableEnded || socket.destroyed
    ? Promise.resolve()
    : Promise.race([once(socket, 'end'), once(socket, 'close')]);
};

t.test('who merely connects keeps nobody out: the oldest makes room', async (t) => {
  const { dial, stream } = await bounded(t, { all: 100, unproven: 4, unprovenMs: 60_000 });
  const first = await stream();
  t.match(first.answer, /^HTTP\/1.1 101 /);
  const idle: Socket[] = [];
  for (let i = 0; i < 8; i++) idle.push(await dial());
  await Promise.all(idle.slice(0, 4).map(gone));
  t.match((await stream()).answer, /^HTTP\/1.1 101 /);
  t.notOk(first.socket.readableEnded || first.socket.destroyed, 'a stream is no such connection');
});

t.test('a connection without a token ends soon, whatever it does; a stream does not', async (t) => {
  const { dial, ask, stream } = await bounded(t, { all: 100, unproven: 50, unprovenMs: 200 });
  const { socket } = await stream();
  const refused = await ask('/portforward/unknown');
  t.match(refused.answer, /^HTTP\/1.1 404 /);
  const closed = new Promise((resolve) => refused.socket.once('close', resolve));
  refused.socket.resume();
  await gone(await dial());
  refused.socket.write('still here');
  const drip = setInterval(() => refused.socket.write('.'), 50);
  await closed;
  clearInterval(drip);
  t.notOk(socket.readableEnded || socket.destroyed);
});

t.test('there is an end to the streams, too', async (t) => {
  const { dial, stream } = await bounded(t, { all: 3, unproven: 3, unprovenMs: 60_000 });
  const streams = [await stream(), await stream(), await stream()];
  await gone(await dial());
  t.same(
    streams.map(({ socket }) => socket.readableEnded || socket.destroyed),
    [false, false, false],
  );
  streams[0]?.socket.destroy();
  let answer = '';
  while (answer === '') answer = (await stream()).answer;
  t.match(answer, /^HTTP\/1.1 101 /, 'one that goes makes room');
});
