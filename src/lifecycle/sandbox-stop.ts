import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sandbox } from '../store/sandbox.js';
import { attachment } from './attachment.js';
import { killContainer } from './container-kill.js';
import { podDirectory } from './paths.js';
import { removePodCgroup } from './pod-cgroup.js';
import { unpinNetns } from './netns.js';
import type { Runtime } from './runtime.js';

type Parts = Pick<
  Runtime,
  | 'config'
  | 'sandboxes'
  | 'containers'
  | 'supervisors'
  | 'exits'
  | 'turns'
  | 'network'
  | 'cgroups'
  | 'systemd'
  | 'spawner'
>;

/**
 * Kills a pod's containers, gives back its network and ends its supervisor. The intent is recorded first; a failed step leaves the
 * sandbox NOTREADY and visible, and the kubelet's next StopPodSandbox goes on from there.
 */
export const stopSandbox = async (parts: Parts, { id }: Sandbox): Promise<void> => {
  const marked = parts.sandboxes.get(id);
  if (!marked || marked.stage === 'stopped') return;
  if (marked.stage === 'ready') parts.sandboxes.update(id, { stage: 'stopping' });
  await killContainers(parts, id);
  await parts.turns.run(id, async () => {
    const sandbox = parts.sandboxes.get(id);
    if (!sandbox || sandbox.stage === 'stopped') return;
    // A container created while the others died is dead with the supervisor.
    await killContainers(parts, id);
    if (sandbox.netnsPath !== '') await parts.network.remove(attachment(sandbox));
    await parts.supervisors.shutdown(id);
    await unpinNetns(parts, sandbox.netnsPath);
    await removePodCgroup(parts, sandbox);
    await rm(join(podDirectory(parts.config, id), 'supervisor.sock'), { force: true });
    if (sandbox.stage !== 'removing') parts.sandboxes.update(id, { stage: 'stopped', supervisorPid: 0 });
  });
};

const killContainers = async (parts: Parts, sandboxId: string): Promise<void> => {
  const containers = parts.containers
    .list()
    .filter((container) => container.sandboxId === sandboxId && container.stage !== 'creating');
  const results = await Promise.allSettled(containers.map((container) => killContainer(parts, container)));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
};
