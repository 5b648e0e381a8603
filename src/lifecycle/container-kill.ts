import { isFrozenFromAbove } from '../cgroup/freezer.js';
import { deadlineExceeded } from '../base/errors.js';
import { type Container, hasEnded } from '../store/container.js';
import { type Supervisor, SupervisorError } from '../supervisor/supervisor.js';
import type { Runtime } from './runtime.js';

/** A killed process is gone at once unless the kernel holds it (uninterruptible I/O); then the caller is told instead of kept waiting. */
const KILL_DEADLINE_MS = 20_000;

/** SIGKILLs everything in a container and waits until its end is recorded. Of a container that never started, it ends the set-up process. */
export const killContainer = async (
  parts: Pick<Runtime, 'supervisors' | 'exits' | 'cgroups'>,
  container: Container,
): Promise<void> => {
  if (hasEnded(container)) return;
  if (!(await parts.supervisors.ask(container.sandboxId, (supervisor) => killBy(supervisor, container.id)))) return;
  if (await parts.exits.wait(container.id, KILL_DEADLINE_MS)) return;
  const why = isFrozenFromAbove(parts.cgroups, container.cgroupPath)
    ? `a cgroup above ${container.cgroupPath} is frozen; thaw it`
    : `a process hangs in the kernel; see the /proc/PID/stack of what is in cgroup ${container.cgroupPath}`;
  throw deadlineExceeded(
    `still not dead ${KILL_DEADLINE_MS / 1000} s after SIGKILL: container ${container.id}; ${why}`,
  );
};

/** One that the supervisor does not know is dead. */
const killBy = async (supervisor: Supervisor, id: string): Promise<true> => {
  try {
    await supervisor.kill(id);
  } catch (error) {
    if (!(error instanceof SupervisorError && error.code === 'ESRCH')) throw error;
  }
  return true;
};

/** Makes a supervisor forget a container in whatever state it is, even if it never heard of it: for rolling back and for recovery. */
export const dropContainer = async (
  parts: Pick<Runtime, 'exits'>,
  supervisor: Supervisor,
  id: string,
): Promise<void> => {
  const { containers } = await supervisor.list();
  const known = containers.find((container) => container.id === id);
  if (!known) return;
  if (known.state !== 'exited') {
    const ended = parts.exits.reported(id, KILL_DEADLINE_MS);
    await supervisor.kill(id);
    await ended;
  }
  await supervisor.remove(id);
};
