import { failedPrecondition } from '../base/errors.js';
import { type Container, containerState } from '../store/container.js';
import type { Runtime } from './runtime.js';
import { asRuntimeError } from './supervisor-error.js';

/** After rotation: when this returns the new file exists and nothing more is written to the old one. */
export const reopenLog = async (parts: Pick<Runtime, 'supervisors'>, container: Container): Promise<void> => {
  const state = containerState(container);
  if (state !== 'CONTAINER_RUNNING')
    throw failedPrecondition(
      `not running: container ${container.id} is ${state.replace('CONTAINER_', '')}, its log is complete`,
    );
  try {
    await parts.supervisors.require(container.sandboxId).reopenLog(container.id);
  } catch (error) {
    throw asRuntimeError(error, `container ${container.id}`);
  }
};
