import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import t from 'tap';
import { nativeMaker } from './make-native.js';
import { openHandlers } from './runtime-handlers.js';
import { VERSION } from '../version.js';
import type { HostCommand } from '../supervisor/spawner.js';

const log = pino({ level: 'silent' });
const host = { mountSetattr: true };

const native = {
  recursiveReadOnlyMounts: true,
  userNamespaces: true,
  version: `jangada ${VERSION}`,
  maker: nativeMaker,
};

/** Stands in for the spawner: what `RUNTIME features` prints, and what `RUNTIME --version` does. */
const saying = (features: string, code = 0, version = 'mine version 2.1\nspec: 1.0\n') => ({
  run: async ({ argv: [path, word] }: HostCommand) => {
    t.equal(path, '/bin/true');
    const [text, ended] = word === 'features' ? [features, code] : [version, version === '' ? 1 : 0];
    return { code: ended, signal: null, stdout: Buffer.from(text), stderr: Buffer.alloc(0), timedOut: false };
  },
});

const open = (spawner: ReturnType<typeof saying>, path = '/bin/true') =>
  openHandlers({ runtimes: { mine: { path } } }, host, spawner, log);

t.test('the features of a runtime are what it says itself', async (t) => {
  for (const [text, code, recursiveReadOnlyMounts, userNamespaces] of [
    ['{"mountOptions":["ro","rro"]}', 0, true, false],
    ['{"mountOptions":["ro"],"linux":{"namespaces":["mount","user"]}}', 0, false, true],
    ['{"mountOptions":7,"linux":{"namespaces":{"user":true}}}', 0, false, false],
    ['{"linux":null}', 0, false, false],
    ['null', 0, false, false],
    ['no such command', 0, false, false],
    ['{"mountOptions":["rro"],"linux":{"namespaces":["user"]}}', 1, false, false],
  ] as const) {
    const handlers = await open(saying(text, code));
    const [unnamed, named, mine] = handlers.list();
    t.same(
      [unnamed, named],
      [
        { name: '', ...native },
        { name: 'native', ...native },
      ],
    );
    t.match(mine, { name: 'mine', recursiveReadOnlyMounts, userNamespaces, version: 'mine version 2.1' });
  }
});

t.test('a crun that is too old to tell has user namespaces, another runtime has not', async (t) => {
  for (const [version, userNamespaces] of [
    ['crun version 1.8.1\ncommit: f8a0\n', true],
    ['runc version 1.0.0\n', false],
    ['crunchy version 1\n', false],
    ['', false],
  ] as const)
    t.match((await open(saying('unknown command', 1, version))).require('mine'), {
      userNamespaces,
      version: version.split('\n')[0] || 'of unknown version',
    });
  t.notOk((await open(saying('{}', 0, 'crun version 1.20\n'))).require('mine').userNamespaces, 'what it tells counts');
});

t.test('an unknown handler is refused with the names of those there are', async (t) => {
  const handlers = await open(saying('{}'));
  t.match(handlers.require('mine'), { name: 'mine', maker: { external: true } });
  t.throws(() => handlers.require('kata'), { code: status.INVALID_ARGUMENT, message: /"kata".*"", "native", "mine"/ });
});

t.test('a runtime that cannot be executed is an error of the configuration', async (t) => {
  await t.rejects(open(saying(''), '/no/such/runtime'), {
    name: 'ConfigError',
    message: /ENOENT.*runtimes\.mine\.path/,
  });
  await t.rejects(open(saying(''), '/etc/passwd'), { name: 'ConfigError', message: /EACCES/ });
});
