import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import t from 'tap';
import { processesOf } from './harness/leaks.js';
import { type Node, startNode } from './harness/node.js';
import { OWN_NETWORK, Pod, podConfig } from './harness/pod.js';
import { PATIENCE, until } from './harness/wait.js';

// Plugins that hang, as when the network's own agent is down, and what becomes of them and of everybody else.
let node: Node;
let log: string;

/**
 * ADD of pods called `hang…` never ends, nor does a DEL of theirs, or of pods called `stay…`, while there is a file `stuck`. Each plugin has a
 * helper; those that hang in a DEL are counted.
 */
const script = (directory: string) => `#!/bin/sh
cd ${directory}
case "$CNI_COMMAND $CNI_ARGS" in
  *K8S_POD_NAME=hang*) hangs=yes ;;
  DEL*K8S_POD_NAME=stay*) hangs=yes ;;
esac
helper() { sleep 1000 & echo $! > $CNI_CONTAINERID.new; mv $CNI_CONTAINERID.new $CNI_CONTAINERID; wait; }
alive() { grep -qs '^State:.[^Z]' /proc/$(cat $CNI_CONTAINERID 2> /dev/null || echo none)/status; }
case $CNI_COMMAND$hangs in
  ADDyes) helper ;;
  DEL*) alive && touch beside; [ -e stuck ] && [ "$hangs" ] && { echo >> deleting; helper; exit 1; }; rm -f $CNI_CONTAINERID ;;
esac
echo '{"cniVersion":"1.0.0"}'
`;

t.before(async () => {
  node = await startNode(t);
  const { home } = node.daemon;
  log = join(home, 'hanging');
  for (const name of ['hanging', 'bin', 'config.d']) await mkdir(join(home, name));
  await writeFile(join(home, 'bin', 'hanger'), script(log), { mode: 0o755 });
  await writeFile(join(home, 'config.d/plugins.toml'), `[cni]\nbin_dirs = ["${join(home, 'bin')}", "/usr/lib/cni"]\n`);
  const file = join(home, 'cni', '10-bridge.conflist');
  const list = JSON.parse(await readFile(file, 'utf8')) as { plugins: object[] };
  list.plugins.unshift({ type: 'hanger' });
  await writeFile(file, JSON.stringify(list));
  await node.daemon.restart();
});

const atWork = async (): Promise<number> => (await readdir(log)).filter((name) => name.length === 64).length;

/** A pod that will not come; what its request ends with. */
const hanging = (number: number) => {
  const config = podConfig(node.daemon, { linux: OWN_NETWORK });
  const metadata = { ...config.metadata, name: `hang${number}` };
  return node.daemon.cri.runPodSandbox({ config: { ...config, metadata } }).then(
    () => undefined,
    (error: { code: number }) => error.code,
  );
};

t.test(
  'as many as there are places: pods go, others are told to come again, and a killed daemon is back at once',
  async (t) => {
    const { daemon } = node;
    const before = await Pod.run(daemon, { linux: OWN_NETWORK });
    const all = Array.from({ length: 64 }, (_, number) => hanging(number));
    await until('64 plugins that hang', async () => (await atWork()) === 64, 60_000);

    const late = t.rejects(Pod.run(daemon, { linux: OWN_NETWORK }), {
      code: status.UNAVAILABLE,
      details:
        /^64 programs are running \(cni-add\) and none ended within 30 s; .*: CNI plugin "hanger" \(ADD for pod .*was not run$/,
    });
    const begin = Date.now();
    await before.remove();
    t.ok(Date.now() - begin < 15_000 * PATIENCE, `a removal waits for none of them: ${Date.now() - begin} ms`);
    await late;
    t.match(await daemon.cri.status({}), {
      status: { conditions: [{ status: true }, { type: 'NetworkReady', status: true }] },
    });

    await writeFile(join(log, 'stuck'), '');
    await daemon.kill();
    await Promise.all(all);
    const restart = Date.now();
    await daemon.up();
    t.ok(
      Date.now() - restart < 15_000 * PATIENCE,
      `the socket is there although no DEL ends: ${Date.now() - restart} ms`,
    );
    await until('DELs that hang', async () => existsSync(join(log, 'deleting')));
    await daemon.kill();
    await rm(join(log, 'stuck'));
    await daemon.up();
    await until('the end of all leftovers', async () => (await daemon.network?.leftovers())?.length === 0, 60_000);
    t.same((await daemon.cri.listPodSandbox({})).items, []);
    t.notOk(existsSync(join(log, 'beside')), 'no DEL has met the plugin that was at work before it, or its helper');
  },
);

t.test('the spawner dies: what it ran ends with it, and is undone', async (t) => {
  const { daemon } = node;
  const pod = hanging(100);
  await until('a plugin that hangs', async () => (await atWork()) === 1);
  const spawner = (await processesOf(daemon.cgroup)).find(({ command }) => command.startsWith('jangada-spawner'));
  process.kill(spawner?.pid ?? Number.NaN, 'SIGKILL');
  t.equal(await pod, status.UNAVAILABLE);
  t.same(await daemon.network?.leftovers(), []);
  t.notOk(existsSync(join(log, 'beside')));
  const next = await Pod.run(daemon, { linux: OWN_NETWORK });
  await next.remove();
});

t.test('a stop that is repeated while a DEL hangs waits for that one, and runs no other', async (t) => {
  const { daemon } = node;
  const stay = { name: 'stay', uid: randomUUID(), namespace: 'default', attempt: 0 };
  const pod = await Pod.run(daemon, { linux: OWN_NETWORK, metadata: stay });
  await rm(join(log, 'deleting'), { force: true });
  await writeFile(join(log, 'stuck'), '');
  const stops = Array.from({ length: 5 }, () => t.rejects(daemon.cri.stopPodSandbox({ podSandboxId: pod.id })));
  await until('a DEL that hangs', async () => existsSync(join(log, pod.id)));
  stops.push(t.rejects(daemon.cri.removePodSandbox({ podSandboxId: pod.id })));
  t.equal((await daemon.cri.podSandboxStatus({ podSandboxId: pod.id })).status?.state, 'SANDBOX_NOTREADY');
  await rm(join(log, 'stuck'));
  process.kill(Number(await readFile(join(log, pod.id), 'utf8')), 'SIGKILL');
  await Promise.all(stops);
  t.equal(await readFile(join(log, 'deleting'), 'utf8'), '\n', 'one DEL, and all learn how it ended');
  await pod.remove();
  t.same((await daemon.cri.listPodSandbox({})).items, []);
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
