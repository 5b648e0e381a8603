import type { Logger } from 'pino';
import { within } from '../base/within.js';

const STEP_DEADLINE_MS = 60_000;

/** Undo steps, each registered right after what it undoes and run in reverse order when the whole fails. */
export class Rollback {
  readonly #steps: Array<{ what: string; undo: () => Promise<unknown> | void }> = [];

  constructor(private readonly log: Logger) {}

  defer(what: string, undo: () => Promise<unknown> | void): void {
    this.#steps.push({ what, undo });
  }

  /** Every step is tried under a deadline of its own, whatever became of the others; a failed one is logged. */
  async unwind(): Promise<void> {
    for (const { what, undo } of this.#steps.reverse()) {
      try {
        await within(STEP_DEADLINE_MS, Promise.resolve(undo()));
      } catch (error) {
        this.log.warn({ err: error, step: what }, 'rollback step failed');
      }
    }
  }
}

/** Runs `work`; when it throws, everything it deferred is undone before the error goes on. */
export const withRollback = async <T>(log: Logger, work: (rollback: Rollback) => Promise<T>): Promise<T> => {
  const rollback = new Rollback(log);
  try {
    return await work(rollback);
  } catch (error) {
    await rollback.unwind();
    throw error;
  }
};
