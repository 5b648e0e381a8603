import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { MAIN } from './harness/daemon.js';
import { startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';

const node = await startNode(t);

/** Runs `jangada stop-pods` against the daemon. */
const stopPods = async (...args: string[]): Promise<string> => {
  const config = join(node.daemon.home, 'config.toml');
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'stop-pods', '--config', config, ...args]);
  return stdout;
};

t.test('all pods are stopped: with their stop signal, and killed at the end of the grace period', async (t) => {
  const [deaf, polite] = [await Pod.run(node.daemon), await Pod.run(node.daemon)];
  const stubborn = await deaf.start(node.busybox, { command: ['/bin/sh', '-c', 'sleep 3600'] });
  const command = ['/bin/sh', '-c', 'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done'];
  const obedient = await polite.start(node.busybox, { command });
  t.equal(await stopPods('--grace', '2'), '2 of 2 pods stopped\n');
  const { items } = await node.daemon.cri.listPodSandbox({});
  t.same(
    items.map(({ state }) => state),
    ['SANDBOX_NOTREADY', 'SANDBOX_NOTREADY'],
  );
  t.equal((await polite.status(obedient)).exitCode, 5);
  t.equal((await deaf.status(stubborn)).exitCode, 137);
  t.equal(await stopPods(), '0 of 0 pods stopped\n', 'again');
});

t.test('a grace period that is none', async (t) => {
  await t.rejects(stopPods('--grace', 'soon'), { message: /not a number of seconds: --grace soon/ });
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
