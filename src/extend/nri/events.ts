import type { PluginMethods } from './messages.js';

/** What a plugin can subscribe to; its bit is one less than its number (api.proto, Event). */
const EVENTS = {
  RunPodSandbox: ['RUN_POD_SANDBOX', 1],
  StopPodSandbox: ['STOP_POD_SANDBOX', 2],
  RemovePodSandbox: ['REMOVE_POD_SANDBOX', 3],
  CreateContainer: ['CREATE_CONTAINER', 4],
  PostCreateContainer: ['POST_CREATE_CONTAINER', 5],
  StartContainer: ['START_CONTAINER', 6],
  PostStartContainer: ['POST_START_CONTAINER', 7],
  UpdateContainer: ['UPDATE_CONTAINER', 8],
  PostUpdateContainer: ['POST_UPDATE_CONTAINER', 9],
  StopContainer: ['STOP_CONTAINER', 10],
  RemoveContainer: ['REMOVE_CONTAINER', 11],
  UpdatePodSandbox: ['UPDATE_POD_SANDBOX', 12],
  PostUpdatePodSandbox: ['POST_UPDATE_POD_SANDBOX', 13],
  ValidateContainerAdjustment: ['VALIDATE_CONTAINER_ADJUSTMENT', 14],
} as const;

export type EventMethod = keyof typeof EVENTS & keyof PluginMethods;
type EventName = (typeof EVENTS)[EventMethod][0];

const ALL = (1 << 14) - 1;

/** Undefined for one that asks for events of another version; none is all. */
export const subscription = (mask: number): number | undefined => {
  if ((mask & ~ALL) !== 0) return undefined;
  return mask === 0 ? ALL : mask;
};

export const isSubscribed = (mask: number, method: EventMethod): boolean =>
  (mask & (1 << (EVENTS[method][1] - 1))) !== 0;

/** Plugins of older versions take some events by StateChange alone; undefined for those that expect an answer. */
export const asStateChange = (method: EventMethod): EventName | undefined =>
  ANSWERED.has(method) ? undefined : EVENTS[method][0];

const ANSWERED: ReadonlySet<EventMethod> = new Set([
  'CreateContainer',
  'UpdateContainer',
  'StopContainer',
  'ValidateContainerAdjustment',
]);
