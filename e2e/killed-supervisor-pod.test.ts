import t from 'tap';
import type { Daemon } from './harness/daemon.js';
import { Killing, succeeds } from './harness/killing.js';
import { processesOf } from './harness/leaks.js';
import { podConfig } from './harness/pod.js';
import { until } from './harness/wait.js';

// A pod's supervisor is killed between any two of its system calls while it makes the pod. The request fails, or the pod is seen to be dead;
// and then nothing is left of it on the node.
const killing = await Killing.start(t, 'POD');

const spawnerOf = async (daemon: Daemon): Promise<number> => {
  const spawner = (await processesOf(daemon.cgroup)).find(({ command }) => command.startsWith('jangada-spawner'));
  if (!spawner) throw new Error('no spawner');
  return spawner.pid;
};

const isDead = async (daemon: Daemon, podSandboxId: string): Promise<boolean> =>
  (await daemon.cri.podSandboxStatus({ podSandboxId })).status?.state === 'SANDBOX_NOTREADY';

t.test('while it makes a pod', async (t) => {
  const { daemon } = killing.node;
  let calls = 0;
  for (let killed = true; killed; ) {
    const watch = await killing.killer.watch('spawner', await spawnerOf(daemon), ++calls);
    const config = podConfig(daemon, killing.everything);
    const made = await succeeds(daemon.cri.runPodSandbox({ config }));
    killed = await watch.end();
    const { items } = await daemon.cri.listPodSandbox({});
    if (items.length !== Number(made)) t.fail(`killed at system call ${calls}: ${items.length} pods are listed`);
    for (const { id: podSandboxId } of items) {
      if (killed) await until('the pod to be dead', () => isDead(daemon, podSandboxId));
      await daemon.cri.stopPodSandbox({ podSandboxId });
      await daemon.cri.removePodSandbox({ podSandboxId });
    }
    await killing.checkNothingIsLeft(t, calls);
  }
  t.ok(calls > 30, `killed at each of ${calls - 1} system calls`);
});

t.test('nothing is left', (t) => killing.end(t));
