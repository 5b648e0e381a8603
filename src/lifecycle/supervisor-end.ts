import { supervisorLost } from './lost.js';
import { podDirectory } from './paths.js';
import type { Runtime } from './runtime.js';

type Parts = Pick<
  Runtime,
  'config' | 'log' | 'sandboxes' | 'containers' | 'supervisors' | 'exits' | 'cgroups' | 'containerCgroups'
>;

/** Ends a pod's supervisor and everything in the pod; succeeds when it is gone already. */
export const endSupervisor = async (parts: Parts, sandboxId: string): Promise<void> => {
  await endUnlessItAnswers(parts, sandboxId);
  await parts.supervisors.shutdown(sandboxId);
};

/**
 * A supervisor that nobody can talk to, because it hangs or was stopped, is killed, and what was in its pod by cgroup: to be called where the
 * whole pod is to end. What comes after meets one that answers, or none.
 */
export const endUnlessItAnswers = async (parts: Parts, sandboxId: string): Promise<void> => {
  if (await parts.supervisors.answers(sandboxId)) return;
  await parts.supervisors.kill(sandboxId, podDirectory(parts.config, sandboxId));
  await supervisorLost(parts, sandboxId);
};
