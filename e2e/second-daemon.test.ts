import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { MAIN } from './harness/daemon.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';

let node: Node;

t.before(async () => {
  node = await startNode(t);
});

t.test('a second daemon with the same configuration ends, and the first one notices nothing', async (t) => {
  const { daemon } = node;
  const pod = await Pod.run(daemon);
  const id = await pod.start(node.busybox);
  const before = await pod.status(id);
  const second = promisify(execFile)(process.execPath, [MAIN, 'daemon', '--config', `${daemon.home}/config.toml`]);
  await t.rejects(second, {
    code: 1,
    stderr: new RegExp(`in use by another daemon \\(pid ${daemon.pid}\\): ${daemon.root}; stop that one`),
  });
  t.same(await pod.status(id), before);
  t.match(await pod.exec(id, 'echo', 'still here'), { code: 0, stdout: 'still here\n' });

  const later = await pod.start(node.busybox);
  const { status: exited } = await pod.complete(node.busybox, { command: ['sh', '-c', 'exit 9'] });
  const known = await Promise.all([id, later, exited.id].map((one) => pod.status(one)));
  await daemon.kill();
  await daemon.up();
  t.same(
    await Promise.all([id, later, exited.id].map((one) => pod.status(one))),
    known,
    'what was written after the second daemon had come is known to the next',
  );
  await pod.remove();
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
