import { Server } from 'node:net';
import { pino } from 'pino';
import t from 'tap';
import { defaultConfig } from '../base/config.js';
import { StreamingServer } from './server.js';

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
