import t, { type Test } from 'tap';
import type { PodSandboxConfig } from '../src/gen/runtime/v1/PodSandboxConfig.js';
import { removeCgroups } from './harness/cgroup.js';
import type { Daemon } from './harness/daemon.js';
import { type KillAt, killAt } from './harness/kill-at.js';
import { processesOf } from './harness/leaks.js';
import { type Node, startNode } from './harness/node.js';
import { Pod, podConfig } from './harness/pod.js';
import { until } from './harness/wait.js';

/**
 * A pod's supervisor is killed between any two of its system calls, while it makes the pod and while it makes a container. The request
 * fails, or the pod is seen to be dead; and then nothing is left of it on the node.
 */
let node: Node;
let killer: KillAt;
/** What the node holds when there is no pod. */
let before: string[];

t.before(async () => {
  node = await startNode(t);
  killer = await killAt();
  t.teardown(() => killer.remove());
  const pod = await Pod.run(node.daemon, everything(node.daemon));
  await pod.create(node.busybox);
  await pod.remove();
  before = await node.daemon.held();
});

/** A pod with all that a supervisor makes, in a cgroup that is the kubelet's and therefore not ours to remove. */
const everything = (daemon: Daemon, pid: 'POD' | 'CONTAINER' = 'POD'): Partial<PodSandboxConfig> => ({
  linux: {
    cgroupParent: `${daemon.cgroupParent}/kubelet`,
    securityContext: { namespaceOptions: { network: 'POD', pid, ipc: 'POD' } },
  },
});

const spawnerOf = async (daemon: Daemon): Promise<number> => {
  const spawner = (await processesOf(daemon.cgroup)).find(({ command }) => command.startsWith('jangada-spawner'));
  if (!spawner) throw new Error('no spawner');
  return spawner.pid;
};

const succeeds = (request: Promise<unknown>): Promise<boolean> =>
  request.then(
    () => true,
    () => false,
  );

const isDead = async (daemon: Daemon, podSandboxId: string): Promise<boolean> =>
  (await daemon.cri.podSandboxStatus({ podSandboxId })).status?.state === 'SANDBOX_NOTREADY';

const checkNothingIsLeft = async (t: Test, call: number): Promise<void> => {
  const held = async () => (await node.daemon.held()).join('\n');
  // The kernel removes interfaces, and a builder ends, in their own time.
  const gone = await succeeds(until('nothing to be left', async () => (await held()) === before.join('\n')));
  if (!gone) t.same(await node.daemon.held(), before, `killed at system call ${call}`);
};

t.test('while it makes a pod', async (t) => {
  const { daemon } = node;
  let calls = 0;
  for (let killed = true; killed; ) {
    const watch = await killer.watch('spawner', await spawnerOf(daemon), ++calls);
    const config = podConfig(daemon, everything(daemon));
    const made = await succeeds(daemon.cri.runPodSandbox({ config }));
    killed = await watch.end();
    const { items } = await daemon.cri.listPodSandbox({});
    if (items.length !== Number(made)) t.fail(`killed at system call ${calls}: ${items.length} pods are listed`);
    for (const { id: podSandboxId } of items) {
      if (killed) await until('the pod to be dead', () => isDead(daemon, podSandboxId));
      await daemon.cri.stopPodSandbox({ podSandboxId });
      await daemon.cri.removePodSandbox({ podSandboxId });
    }
    await checkNothingIsLeft(t, calls);
  }
  t.ok(calls > 30, `killed at each of ${calls - 1} system calls`);
});

t.test('while it makes a container', async (t) => {
  const { daemon } = node;
  let calls = 0;
  for (let killed = true; killed; ) {
    const pod = await Pod.run(daemon, everything(daemon, 'CONTAINER'));
    const { info } = await daemon.cri.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
    const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
    const watch = await killer.watch('supervisor', pid, ++calls);
    const made = await succeeds(pod.create(node.busybox));
    killed = await watch.end();
    const { containers } = await daemon.cri.listContainers({});
    if (containers.length !== Number(made))
      t.fail(`killed at system call ${calls}: ${containers.length} containers are listed`);
    await pod.remove();
    await checkNothingIsLeft(t, calls);
  }
  t.ok(calls > 30, `killed at each of ${calls - 1} system calls`);
});

t.test('nothing is left', async (t) => {
  await removeCgroups(`${node.daemon.cgroupParent}/kubelet`);
  await node.daemon.assertNothingLeft(t);
});
