import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { credentialHelper } from './credential-helper.js';

/** Runs `script` as a helper; `others` ends when nobody is left who has descriptor 9 of it. */
const setUp = (t: Test, script: string, { deadlineMs = 60_000, drainMs = 60_000 } = {}) => {
  const directory = mkdtempSync(join(t.testdir(), 'helper-'));
  const life = join(directory, 'life');
  execFileSync('mkfifo', [life]);
  const others = new Socket({ fd: openSync(life, constants.O_RDONLY | constants.O_NONBLOCK), readable: true });
  const own = openSync(life, constants.O_WRONLY);
  const helper = join(directory, 'docker-credential-test');
  writeFileSync(helper, `#!/bin/sh\nexec 9>${life}\n${script}\n`, { mode: 0o755 });
  const run = credentialHelper({ path: `${directory}:/usr/bin:/bin`, deadlineMs, drainMs });
  const gone = async () => {
    closeSync(own);
    await once(others.resume(), 'end');
  };
  return { run: () => run('test', 'reg.io'), gone };
};

t.test('the server on stdin, the answer on stdout', async (t) => {
  const { run, gone } = setUp(t, 'read -r server; echo "$1 $server"');
  t.equal(await run(), 'get reg.io\n');
  await gone();
});

t.test('a helper that fails, is not there, or says too much', async (t) => {
  await t.rejects(credentialHelper()('jangada-has-none', 'reg.io'), { code: 'ENOENT' });
  for (const script of ['echo secret; exit 1', 'while :; do echo 0123456789; done']) {
    const { run, gone } = setUp(t, script);
    await t.rejects(run(), { message: 'docker-credential-test failed' });
    await gone();
  }
});

t.test('at the deadline all ends that the helper has started', { timeout: 20_000 }, async (t) => {
  const { run, gone } = setUp(t, 'sleep 1000 & wait', { deadlineMs: 300 });
  await t.rejects(run(), { message: 'docker-credential-test failed' });
  await gone();
});

t.test('whoever holds the pipe behind a helper that has answered is not waited for', { timeout: 20_000 }, async (t) => {
  const { run, gone } = setUp(t, 'sleep 1000 & echo $!', { drainMs: 300 });
  const answer = await run();
  t.match(answer, /^\d+\n$/);
  process.kill(Number(answer));
  await gone();
});
