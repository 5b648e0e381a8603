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
  /** It was not counted in the time that each has among others. */
  large: boolean;
}

const FRESH_MS = 10_000;
/** A count may take this share of the time at most: a layer of a million files is not counted every ten seconds. */
const REST_FACTOR = 20;
const FORGET_MS = 10 * 60_000;
/** What one may take of the others' time. */
const SHARE_MS = 1_000;
/** What counting one may take at all; it has what was found until then, at least. */
const LIMIT_MS = 300_000;

interface Count {
  readonly bytes: number;
  readonly inodes: number;
  /** That it took. */
  readonly ms: number;
  readonly complete: boolean;
}

/** Counts directories, in their order: by a process of its own, because strangers write to them while it looks. */
export type CountTrees = (
  directories: readonly string[],
  limitMs: number,
  signal: AbortSignal,
) => Promise<Array<Count | undefined>>;

type Named = [directory: string, entry: Entry];

/**
 * What directory trees take on disk. `get` answers at once with the last count; counting happens behind it, for those asked about. All
 * are counted together, each for a second at most. Those that need more are counted beside them, one after another: a container that
 * makes millions of directories holds up nobody but others of its kind.
 */
export class DirectoryUsage {
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();
  #counting: Promise<void> | undefined;
  #countingLarge: Promise<void> | undefined;

  constructor(
    private readonly count: CountTrees,
    private readonly log: Logger,
    private readonly now: () => number = Date.now,
  ) {}

  get(directory: string): DirectoryUse | undefined {
    let entry = this.#entries.get(directory);
    if (!entry) this.#entries.set(directory, (entry = { use: undefined, askedAt: 0, nextCount: 0, large: false }));
    entry.askedAt = this.now();
    if (entry.nextCount <= entry.askedAt) this.#begin();
    return entry.use;
  }

  /** Resolves when these have been counted once, or after `ms`. */
  async known(directories: readonly string[], ms: number): Promise<void> {
    // All of them, and not up to the first: asking is what begins the counting.
    const uncounted = directories.filter((directory) => !this.get(directory));
    if (uncounted.length === 0) return;
    const end = new AbortController();
    const timer = sleep(ms, undefined, { signal: end.signal }).catch(() => undefined);
    await Promise.race([this.#countedOnce(), timer]);
    end.abort();
  }

  async #countedOnce(): Promise<void> {
    while (this.#counting) await this.#counting;
  }

  /** Resolves when nothing is being counted. */
  async idle(): Promise<void> {
    while (this.#counting || this.#countingLarge) await Promise.all([this.#counting, this.#countingLarge]);
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('closed'));
    await this.idle();
  }

  #begin(): void {
    if (this.#closing.signal.aborted) return;
    this.#counting ??= this.#countAll().finally(() => (this.#counting = undefined));
    if (this.#due(true).length > 0)
      this.#countingLarge ??= this.#countLarge().finally(() => (this.#countingLarge = undefined));
  }

  #due(large: boolean): Named[] {
    const now = this.now();
    for (const [directory, { askedAt }] of this.#entries)
      if (now - askedAt > FORGET_MS) this.#entries.delete(directory);
    return [...this.#entries].filter(([, entry]) => entry.large === large && entry.nextCount <= now);
  }

  async #countAll(): Promise<void> {
    // Who asks for one asks for others: one process counts them all.
    await setImmediate();
    for (let due; (due = this.#due(false)).length > 0; this.#begin()) {
      if (this.#closing.signal.aborted) return;
      await this.#count(due, SHARE_MS);
    }
  }

  async #countLarge(): Promise<void> {
    for (let next; (next = this.#due(true).toSorted(byDue)[0]); ) {
      if (this.#closing.signal.aborted) return;
      await this.#count([next], LIMIT_MS);
    }
  }

  async #count(due: readonly Named[], limitMs: number): Promise<void> {
    const { signal } = this.#closing;
    const directories = due.map(([directory]) => directory);
    const uses = await this.count(directories, limitMs, signal).catch((error: unknown) => {
      if (!signal.aborted) this.log.warn({ err: error }, 'cannot count what writable layers take');
      return [];
    });
    const countedAt = this.now();
    for (const [index, [, entry]] of due.entries()) this.#take(entry, uses[index], countedAt);
  }

  #take(entry: Entry, use: Count | undefined, countedAt: number): void {
    const begun = use !== undefined && !use.complete && !entry.large;
    // What a second has found is better than nothing, and worse than an older count of all.
    if (use && !(begun && entry.use)) entry.use = { bytes: use.bytes, inodes: use.inodes, countedAt };
    entry.large = use !== undefined && (begun || use.ms >= SHARE_MS);
    entry.nextCount = begun ? countedAt : countedAt + Math.max(FRESH_MS, (use?.ms ?? 0) * REST_FACTOR);
  }
}

/** Who has waited longest comes first. */
const byDue = ([, a]: Named, [, b]: Named): number => a.nextCount - b.nextCount;
