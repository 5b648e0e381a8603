import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import t from 'tap';
import { openHandlers } from './runtime-handlers.js';
import type { HostCommand } from '../supervisor/spawner.js';

const log = pino({ level: 'silent' });
const host = { mountSetattr: true };

/** Stands in for the spawner: what `RUNTIME features` prints. */
const saying = (text: string, code = 0) => ({
  run: async ({ argv }: HostCommand) => {
    t.same(argv, ['/bin/true', 'features']);
    return { code, signal: null, stdout: Buffer.from(text), stderr: Buffer.alloc(0), timedOut: false };
  },
});

const open = (spawner: ReturnType<typeof saying>, path = '/bin/true') =>
  openHandlers({ runtimes: { mine: { path } } }, host, spawner, log);

t.test('the features of a runtime are what it says itself', async (t) => {
  for (const [text, code, rro] of [
    ['{"mountOptions":["ro","rro"]}', 0, true],
    ['{"mountOptions":["ro"]}', 0, false],
    ['{"mountOptions":7}', 0, false],
    ['no such command', 0, false],
    ['{"mountOptions":["rro"]}', 1, false],
  ] as const) {
    const handlers = await open(saying(text, code));
    t.same(handlers.list(), [
      { name: '', recursiveReadOnlyMounts: true },
      { name: 'native', recursiveReadOnlyMounts: true },
      { name: 'mine', path: '/bin/true', recursiveReadOnlyMounts: rro },
    ]);
  }
});

t.test('an unknown handler is refused with the names of those there are', async (t) => {
  const handlers = await open(saying('{}'));
  t.equal(handlers.require('mine').path, '/bin/true');
  t.throws(() => handlers.require('kata'), { code: status.INVALID_ARGUMENT, message: /"kata".*"", "native", "mine"/ });
});

t.test('a runtime that cannot be executed is an error of the configuration', async (t) => {
  await t.rejects(open(saying(''), '/no/such/runtime'), {
    name: 'ConfigError',
    message: /ENOENT.*runtimes\.mine\.path/,
  });
  await t.rejects(open(saying(''), '/etc/passwd'), { name: 'ConfigError', message: /EACCES/ });
});
