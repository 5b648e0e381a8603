import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

export interface DirectoryUse {
  readonly bytes: number;
  readonly inodes: number;
  /** Milliseconds since the epoch at which it was counted. */
  readonly countedAt: number;
}

interface Entry {
  use: DirectoryUse | undefined;
  askedAt: number;
  nextCount: number;
}

const FRESH_MS = 10_000;
/** A count may take this share of the time at most: a layer of a million files is not counted every ten seconds. */
const REST_FACTOR = 20;
const FORGET_MS = 10 * 60_000;

interface Count {
  readonly bytes: number;
  readonly inodes: number;
  /** That it took. */
  readonly ms: number;
}

/** Counts directories, in their order: by a process of its own, because strangers write to them while it looks. */
export type CountTrees = (directories: readonly string[], signal: AbortSignal) => Promise<Array<Count | undefined>>;

/** What directory trees take on disk. `get` answers at once with the last count; counting happens behind it, for those asked about. */
export class DirectoryUsage {
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();
  #counting: Promise<void> | undefined;

  constructor(
    private readonly count: CountTrees,
    private readonly log: Logger,
    private readonly now: () => number = Date.now,
  ) {}

  get(directory: string): DirectoryUse | undefined {
    let entry = this.#entries.get(directory);
    if (!entry) this.#entries.set(directory, (entry = { use: undefined, askedAt: 0, nextCount: 0 }));
    entry.askedAt = this.now();
    if (!this.#counting && !this.#closing.signal.aborted && entry.nextCount <= entry.askedAt)
      this.#counting = this.#countDue().finally(() => (this.#counting = undefined));
    return entry.use;
  }

  /** Resolves when these have been counted once, or after `ms`. */
  async known(directories: readonly string[], ms: number): Promise<void> {
    // All of them, and not up to the first: asking is what begins the counting.
    const uncounted = directories.filter((directory) => !this.get(directory));
    if (uncounted.length === 0) return;
    const end = new AbortController();
    const timer = sleep(ms, undefined, { signal: end.signal }).catch(() => undefined);
    await Promise.race([this.idle(), timer]);
    end.abort();
  }

  /** Resolves when nothing is being counted. */
  async idle(): Promise<void> {
    while (this.#counting) await this.#counting;
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('closed'));
    await this.idle();
  }

  #due(): [string, Entry][] {
    const now = this.now();
    for (const [directory, { askedAt }] of this.#entries)
      if (now - askedAt > FORGET_MS) this.#entries.delete(directory);
    return [...this.#entries].filter(([, { nextCount }]) => nextCount <= now);
  }

  async #countDue(): Promise<void> {
    // Who asks for one asks for others: one process counts them all.
    await setImmediate();
    const { signal } = this.#closing;
    for (let due = this.#due(); due.length > 0 && !signal.aborted; due = this.#due()) {
      const directories = due.map(([directory]) => directory);
      const uses = await this.count(directories, signal).catch((error: unknown) => {
        if (!signal.aborted) this.log.warn({ err: error }, 'cannot count what writable layers take');
        return [];
      });
      const countedAt = this.now();
      for (const [index, [, entry]] of due.entries()) {
        const use = uses[index];
        if (use) entry.use = { bytes: use.bytes, inodes: use.inodes, countedAt };
        entry.nextCount = countedAt + Math.max(FRESH_MS, (use?.ms ?? 0) * REST_FACTOR);
      }
    }
  }
}
