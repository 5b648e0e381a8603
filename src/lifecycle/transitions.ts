import type { ContainerEventType } from '../gen/runtime/v1/ContainerEventType.js';
import { type Container, hasEnded, hasStarted } from '../store/container.js';
import type { Sandbox } from '../store/sandbox.js';
import { isVisible } from '../store/visible.js';

export type EventType = keyof typeof ContainerEventType;

/** What a change of a container's record means to those who watch it; undefined is: no record. What never became visible is no event. */
export const containerEvents = (before: Container | undefined, after: Container | undefined): EventType[] => {
  if (!after) return before && isVisible(before) ? ['CONTAINER_DELETED_EVENT'] : [];
  if (after.stage === 'creating') return [];
  const events: EventType[] = [];
  if (before?.stage === 'creating') events.push('CONTAINER_CREATED_EVENT');
  if (!before) return events;
  if (!hasStarted(before) && hasStarted(after) && !hasEnded(before)) events.push('CONTAINER_STARTED_EVENT');
  if (!hasEnded(before) && hasEnded(after)) events.push('CONTAINER_STOPPED_EVENT');
  return events;
};

/** The same of a sandbox: it is created and started in one, and has stopped when its supervisor is gone. */
export const sandboxEvents = (before: Sandbox | undefined, after: Sandbox | undefined): EventType[] => {
  if (!after) return before && isVisible(before) ? ['CONTAINER_DELETED_EVENT'] : [];
  if (before?.stage === 'creating' && after.stage === 'ready')
    return ['CONTAINER_CREATED_EVENT', 'CONTAINER_STARTED_EVENT'];
  return before && before.supervisorPid !== 0 && after.supervisorPid === 0 ? ['CONTAINER_STOPPED_EVENT'] : [];
};
