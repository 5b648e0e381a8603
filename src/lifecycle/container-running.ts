import { failedPrecondition } from '../base/errors.js';
import { type Container, containerState } from '../store/container.js';

/** @throws FAILED_PRECONDITION when there is no process to have to do with. */
export const requireRunning = (container: Container): void => {
  const state = containerState(container);
  if (state !== 'CONTAINER_RUNNING')
    throw failedPrecondition(`not running: container ${container.id} is ${state.replace('CONTAINER_', '')}`);
};
