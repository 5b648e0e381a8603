import { failedPrecondition } from '../base/errors.js';
import { isFrozen } from '../cgroup/freezer.js';
import { type Container, containerState } from '../store/container.js';
import type { Runtime } from './runtime.js';

/** @throws FAILED_PRECONDITION when there is no process to have to do with. */
export const requireRunning = (container: Container): void => {
  const state = containerState(container);
  if (state !== 'CONTAINER_RUNNING')
    throw failedPrecondition(`not running: container ${container.id} is ${state.replace('CONTAINER_', '')}`);
};

/** @throws FAILED_PRECONDITION when a process that is put into it would stand still at once, as with both peers (`cannot exec in a paused container`). */
export const requireThawed = ({ cgroups }: Pick<Runtime, 'cgroups'>, { id, cgroupPath }: Container): void => {
  if (isFrozen(cgroups, cgroupPath))
    throw failedPrecondition(`frozen: cgroup ${cgroupPath} of container ${id}; thaw it`);
};
