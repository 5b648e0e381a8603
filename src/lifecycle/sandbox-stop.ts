import { killContainer } from './container-kill.js';
import type { Runtime } from './runtime.js';
import { releaseSandbox } from './sandbox-end.js';
import { endUnlessItAnswers } from './supervisor-end.js';

type Parts = Pick<
  Runtime,
  | 'config'
  | 'log'
  | 'sandboxes'
  | 'containers'
  | 'supervisors'
  | 'exits'
  | 'turns'
  | 'flights'
  | 'network'
  | 'cgroups'
  | 'cgroupDriver'
  | 'containerCgroups'
  | 'systemd'
  | 'spawner'
  | 'extension'
>;

/**
 * Kills a pod's containers, gives back its network and ends its supervisor. The intent is recorded first; a failed step leaves the
 * sandbox NOTREADY and visible, and the kubelet's next StopPodSandbox goes on from there. One that is repeated meanwhile joins the running
 * one: a plugin that hangs is waited for once, not once for each time the kubelet lost its patience.
 */
export const stopSandbox = (parts: Parts, id: string): Promise<void> =>
  parts.flights.join(`stop of ${id}`, () => stop(parts, id));

const stop = async (parts: Parts, id: string): Promise<void> => {
  const marked = parts.sandboxes.get(id);
  if (!marked || marked.stage === 'stopped') return;
  if (marked.stage === 'ready') parts.sandboxes.learn(id, { stage: 'stopping' });
  await endUnlessItAnswers(parts, id);
  await killContainers(parts, id);
  await parts.turns.run(id, async () => {
    const sandbox = parts.sandboxes.get(id);
    if (!sandbox || sandbox.stage === 'stopped') return;
    // A container created while the others died is dead with the supervisor.
    await killContainers(parts, id);
    await parts.extension.stopPod(sandbox);
    await releaseSandbox(parts, sandbox);
    if (sandbox.stage !== 'removing') parts.sandboxes.learn(id, { stage: 'stopped', supervisorPid: 0 });
  });
};

const killContainers = async (parts: Parts, sandboxId: string): Promise<void> => {
  const containers = parts.containers.of(sandboxId).filter(({ stage }) => stage !== 'creating');
  const results = await Promise.allSettled(containers.map((container) => killContainer(parts, container)));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
};
