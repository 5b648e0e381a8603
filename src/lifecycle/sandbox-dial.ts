import { failedPrecondition, unavailable } from '../base/errors.js';
import { type Sandbox, sandboxState } from '../store/sandbox.js';
import type { BulkSocket } from '../supervisor/bulk-socket.js';
import { SupervisorError } from '../supervisor/supervisor.js';
import type { Runtime } from './runtime.js';
import { asRuntimeError } from './supervisor-error.js';

/** @throws FAILED_PRECONDITION when the pod has no network any more. */
export const requireReady = (sandbox: Sandbox): void => {
  if (sandboxState(sandbox) !== 'SANDBOX_READY')
    throw failedPrecondition(`not ready: pod sandbox ${sandbox.id} is ${sandbox.stage}`);
};

/**
 * Connects to a port on the pod's loopback interface, as its own processes would: what listens there believes that it is spoken to from
 * within the pod (CVE-2021-20199). Of the pod's images nothing is run (CVE-2022-1227). A refusal is told in the words of the field.
 */
export const dialPod = async (
  parts: Pick<Runtime, 'supervisors'>,
  sandbox: Sandbox,
  port: number,
): Promise<BulkSocket> => {
  requireReady(sandbox);
  const namespace = sandbox.netnsPath || 'host';
  try {
    const socket = await parts.supervisors.require(sandbox.id).streams.connect(port);
    return socket.setNoDelay(true);
  } catch (error) {
    if (error instanceof SupervisorError && error.step === 'connect')
      throw unavailable(
        `failed to connect to localhost:${port} inside namespace ${JSON.stringify(namespace)}, ${error.message}`,
        error,
      );
    throw asRuntimeError(error, `port ${port} of pod sandbox ${sandbox.id}`);
  }
};
