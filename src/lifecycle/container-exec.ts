import { deadlineExceeded } from '../base/errors.js';
import type { Container } from '../store/container.js';
import { requireRunning, requireThawed } from './container-running.js';
import type { Runtime } from './runtime.js';
import { asRuntimeError } from './supervisor-error.js';

/** Of each stream. CRI asks for a cap (api.proto, ExecSyncResponse; CVE-2022-31030), and both must fit into one message of gRPC. */
const CAPTURE_LIMIT = (8 << 20) - 1024;

export interface ExecResult {
  stdout: Buffer;
  stderr: Buffer;
  exitCode: number;
}

/** The longest that a timer of the daemon counts: 24 days. */
const LONGEST_MS = 0x7fff_0000;

/**
 * Runs a command in a running container to its end. It gets exactly what the container's first process got (CVE-2019-10144). A timeout of 0
 * or less is none, as with containerd and CRI-O; when `client` has gone, it is ended too.
 */
export const execSync = async (
  parts: Pick<Runtime, 'supervisors' | 'execPlans' | 'cgroups'>,
  container: Container,
  argv: string[],
  timeoutSeconds: number,
  client: AbortSignal,
): Promise<ExecResult> => {
  requireRunning(container);
  requireThawed(parts, container);
  const timeoutMs = Math.min(Math.max(timeoutSeconds, 0) * 1000, LONGEST_MS);
  const plan = await parts.execPlans.get(container, argv);
  try {
    const result = await parts.supervisors
      .require(container.sandboxId)
      .exec(container.id, plan, { timeoutMs, captureLimit: CAPTURE_LIMIT, client });
    if (result.timedOut)
      throw deadlineExceeded(
        `timed out after ${timeoutSeconds} s and was killed: ${argv[0]} in container ${container.id}`,
      );
    return { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode };
  } catch (error) {
    throw asRuntimeError(error, `${JSON.stringify(argv[0])} in container ${container.id}`);
  }
};
