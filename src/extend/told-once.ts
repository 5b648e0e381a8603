import type { Logger } from 'pino';
import type { FileProblem } from './scanned-directories.js';

/** Each problem is logged when it is first seen, and again when it comes back. */
export class ToldOnce {
  #told: ReadonlySet<string> = new Set();

  constructor(
    private readonly what: string,
    private readonly log: Pick<Logger, 'warn'>,
  ) {}

  tell(problems: readonly FileProblem[]): void {
    const told = new Set<string>();
    for (const { path, message } of problems) {
      const problem = `${path}: ${message}`;
      if (!this.#told.has(problem)) this.log.warn({ path, problem: message }, this.what);
      told.add(problem);
    }
    this.#told = told;
  }
}
