import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { containerInfo, removeCgroups } from './harness/cgroup.js';
import { cgroupsOf, hierarchies, processesOf } from './harness/leaks.js';
import { type Node, startNode } from './harness/node.js';
import { Pod } from './harness/pod.js';

// Containers with CAP_SYS_PTRACE drive the first process of a PID namespace that they share: what it takes must be the pod's.
let node: Node;

t.before(async () => {
  node = await startNode(t);
});

const inits = async (): Promise<number[]> =>
  (await processesOf(node.daemon.cgroup)).filter(({ command }) => command === 'jangada-init').map(({ pid }) => pid);

const only = async (): Promise<number> => {
  const [pid = 0, ...more] = await inits();
  if (pid === 0 || more.length > 0) throw new Error(`not one init: ${[pid, ...more].join(', ')}`);
  return pid;
};

const places = async (pid: number): Promise<string> => readFile(`/proc/${pid}/cgroup`, 'utf8');

/** Where the init has to be: beside the container, under the ID of the pod. */
const beside = async (pod: Pod, container: string): Promise<string> =>
  (await places((await containerInfo(node.daemon.cri, container)).pid)).replaceAll(container, pod.id);

const shared = { securityContext: { namespaceOptions: { network: 'NODE', pid: 'POD', ipc: 'POD' } } } as const;

t.test('it is in the cgroup of the pod, with a filter and one descriptor', async (t) => {
  // As the kubelet's: made by somebody else, who has it back without anything of ours.
  const parent = `${node.daemon.cgroupParent}/kubelet`;
  for (const root of await hierarchies()) await mkdir(join(root, parent), { recursive: true }).catch(() => undefined);
  const pod = await Pod.run(node.daemon, { linux: { ...shared, cgroupParent: parent } });
  const container = await pod.start(node.busybox);
  const init = await only();
  t.equal(await places(init), await beside(pod, container));
  const status = await readFile(`/proc/${init}/status`, 'utf8');
  for (const line of [/^Seccomp:\t2$/m, /^CapPrm:\t0+$/m, /^NoNewPrivs:\t1$/m, /^Uid:(\t65535){4}$/m])
    t.match(status, line);
  t.same(await readdir(`/proc/${init}/fd`), ['0']);
  await node.daemon.cri.stopPodSandbox({ podSandboxId: pod.id });
  t.same(await cgroupsOf(parent), [], 'the cgroup goes with it, the one above stays');
  t.ok((await hierarchies()).some((root) => existsSync(join(root, parent))));
  await pod.remove();
  await removeCgroups(parent);
});

t.test('it is so in a pod whose containers ask for it one by one, and there is one', async (t) => {
  const pod = await Pod.run(node.daemon);
  t.same(await inits(), []);
  const namespaceOptions = { network: 'NODE', pid: 'POD', ipc: 'POD' } as const;
  const [container = ''] = await Promise.all(
    [1, 2, 3].map(() => pod.start(node.busybox, { security: { namespaceOptions } })),
  );
  t.equal(await places(await only()), await beside(pod, container));
  await node.daemon.restart();
  await pod.start(node.busybox, { security: { namespaceOptions } });
  t.equal(await places(await only()), await beside(pod, container), 'after a restart of the daemon, too');
  await pod.remove();
  t.same(await inits(), []);
});

t.test('a supervisor that is killed leaves no cgroup of it', async (t) => {
  const pod = await Pod.run(node.daemon, { linux: shared });
  await pod.start(node.busybox);
  const { info } = await node.daemon.cri.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
  process.kill((JSON.parse(info['info'] ?? '{}') as { pid: number }).pid, 'SIGKILL');
  await pod.remove();
  t.same(await inits(), []);
  t.same(await cgroupsOf(node.daemon.cgroupParent), []);
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
