import { type Container, containerState } from '../store/container.js';
import { type Sandbox, sandboxState } from '../store/sandbox.js';

/** Lists of statistics and metrics hold what is there to be measured: an exited container uses nothing any more. */
export const isMeasured = (container: Container): boolean =>
  container.stage === 'live' && containerState(container) !== 'CONTAINER_EXITED';

/** The same of a sandbox. */
export const isMeasuredSandbox = (sandbox: Sandbox): boolean => sandboxState(sandbox) === 'SANDBOX_READY';

/** The measured containers by sandbox, in one pass over all of them. */
export const bySandbox = (containers: readonly Container[]): ((sandboxId: string) => Container[]) => {
  const groups = new Map<string, Container[]>();
  for (const container of containers.filter(isMeasured)) {
    const group = groups.get(container.sandboxId);
    if (group) group.push(container);
    else groups.set(container.sandboxId, [container]);
  }
  return (sandboxId) => groups.get(sandboxId) ?? [];
};
