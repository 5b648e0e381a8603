import type { Runtime } from '../lifecycle/runtime.js';
import type { Passage } from '../lifecycle/timelines.js';

export interface Failures {
  readonly failures: readonly Passage[];
}

/** The last requests that failed, from the oldest to the newest. */
export const failuresCall = async ({ timelines }: Pick<Runtime, 'timelines'>): Promise<Failures> => ({
  failures: timelines.failures(),
});
