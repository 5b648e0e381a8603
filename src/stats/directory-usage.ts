import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

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
const BATCH = 8;

/**
 * What directory trees take on disk. `get` answers at once with the last count; counting happens behind it, one tree at
 * a time, for directories that somebody still asks about.
 */
export class DirectoryUsage {
  readonly #entries = new Map<string, Entry>();
  #counting: Promise<void> | undefined;
  #closed = false;

  constructor(private readonly now: () => number = Date.now) {}

  get(directory: string): DirectoryUse | undefined {
    let entry = this.#entries.get(directory);
    if (!entry) this.#entries.set(directory, (entry = { use: undefined, askedAt: 0, nextCount: 0 }));
    entry.askedAt = this.now();
    if (!this.#counting && !this.#closed && this.#due())
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
    this.#closed = true;
    await this.idle();
  }

  #due(): [string, Entry] | undefined {
    const now = this.now();
    for (const [directory, entry] of this.#entries) {
      if (now - entry.askedAt > FORGET_MS) this.#entries.delete(directory);
      else if (entry.nextCount <= now) return [directory, entry];
    }
    return undefined;
  }

  async #countDue(): Promise<void> {
    for (let due = this.#due(); due && !this.#closed; due = this.#due()) {
      const [directory, entry] = due;
      const started = this.now();
      const use = await count(directory, () => this.#closed);
      const ended = this.now();
      if (use) entry.use = { ...use, countedAt: ended };
      entry.nextCount = ended + Math.max(FRESH_MS, (ended - started) * REST_FACTOR);
    }
  }
}

const count = async (root: string, stopped: () => boolean): Promise<{ bytes: number; inodes: number } | undefined> => {
  const linked = new Set<string>();
  let bytes = 0;
  let inodes = 0;
  const add = (stats: Stats | undefined) => {
    if (!stats) return;
    if (stats.nlink > 1 && !stats.isDirectory()) {
      const key = `${stats.dev}:${stats.ino}`;
      if (linked.has(key)) return;
      linked.add(key);
    }
    bytes += stats.blocks * 512;
    inodes += 1;
  };
  const top = await lstat(root).catch(() => undefined);
  if (!top) return undefined;
  add(top);
  const directories = [root];
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    // What vanishes while it is being counted is simply not there.
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
    for (let at = 0; at < entries.length; at += BATCH) {
      if (stopped()) return undefined;
      const paths = entries.slice(at, at + BATCH).map(({ name }) => join(directory, name));
      for (const stats of await Promise.all(paths.map((path) => lstat(path).catch(() => undefined)))) add(stats);
    }
    for (const entry of entries) if (entry.isDirectory()) directories.push(join(directory, entry.name));
  }
  return { bytes, inodes };
};
