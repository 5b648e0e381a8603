import type { Logger } from 'pino';
import { within } from './within.js';

const STEP_DEADLINE_MS = 60_000;

interface Step {
  readonly what: string;
  readonly undo: () => Promise<unknown> | void;
}

/** How to take back what was done: each step is registered right after what it undoes, and the last done is undone first. */
export class Closing {
  readonly #steps: Step[] = [];

  constructor(private readonly log: Logger) {}

  defer(what: string, undo: Step['undo']): void {
    this.#steps.push({ what, undo });
  }

  /** Of something that has just been opened: answers it. */
  with<T>(what: string, thing: T, close: (thing: T) => Promise<unknown> | void): T {
    this.defer(what, () => close(thing));
    return thing;
  }

  /** Every step is tried under a deadline of its own, whatever became of the others; a failed one is logged. Once: then nothing is left. */
  async close(): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await within(STEP_DEADLINE_MS, Promise.resolve(step.undo()));
      } catch (error) {
        this.log.warn({ err: error, step: step.what }, 'cannot take back a step');
      }
    }
  }
}

/** Runs `work`; when it throws, everything it deferred is undone before the error goes on. */
export const withRollback = async <T>(log: Logger, work: (rollback: Closing) => Promise<T>): Promise<T> => {
  const rollback = new Closing(log);
  try {
    return await work(rollback);
  } catch (error) {
    await rollback.close();
    throw error;
  }
};
