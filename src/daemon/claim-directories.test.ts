import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadAddon } from '../native/addon.js';
import { claimDirectories } from './claim-directories.js';

t.test('directories of a daemon that lives are refused, those of one that was killed are not', async (t) => {
  const [root, state] = [join(t.testdir(), 'root'), join(t.testdir(), 'state')];
  for (const directory of [root, state]) mkdirSync(directory);
  const holder = spawn('flock', ['--no-fork', state, 'sh', '-c', 'echo held; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => holder.once('close', resolve));
  t.teardown(() => holder.kill('SIGKILL'));
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  t.throws(() => claimDirectories({ root, state }, loadAddon()), {
    message: new RegExp(`^in use by another daemon.*: ${state}; stop that one`),
  });
  holder.kill('SIGKILL');
  await ended;
  claimDirectories({ root: state, state }, loadAddon());
  t.throws(() => claimDirectories({ root: state, state }, loadAddon()), {
    message: `in use by another daemon (pid ${process.pid}): ${state}; stop that one, or give this one a root, a state and a socket of its own`,
  });
});
