import { limitWrites } from '../cgroup/resources.js';
import { scopeOf } from '../cgroup/slice.js';
import { encodeUpdatePlan } from '../supervisor/plan-encoding.js';
import type { Runtime } from './runtime.js';

type Parts = Pick<Runtime, 'log' | 'containers' | 'supervisors' | 'turns' | 'cgroups'>;

/**
 * Writes the limits of all scopes again. systemd writes what it knows of a unit anew when it is reloaded: quotas rounded to whole percents,
 * memory.oom.group as off, whatever the container was given.
 */
export const refreshScopes = async (parts: Parts): Promise<void> => {
  const ids = parts.containers.list().flatMap(({ id, cgroupPath }) => (scopeOf(cgroupPath) ? [id] : []));
  await Promise.all(ids.map((id) => parts.turns.run(id, () => refresh(parts, id))));
};

const refresh = async (parts: Parts, id: string): Promise<void> => {
  const container = parts.containers.get(id);
  if (!container || container.stage !== 'live' || container.finishedAt !== '0') return;
  try {
    const supervisor = parts.supervisors.get(container.sandboxId);
    await supervisor?.update(id, encodeUpdatePlan(limitWrites(parts.cgroups, container.cgroupPath, container.limits)));
  } catch (error) {
    parts.log.warn({ err: error, container: id }, 'cannot write limits again after a reload of systemd');
  }
};
