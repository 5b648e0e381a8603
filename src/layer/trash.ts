import { randomBytes } from 'node:crypto';
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { makePrivateDirectory } from '../base/durable-file.js';
import { unlessUnwritable } from '../base/unwritable.js';
import { removeTrees, type Unpacker } from './unpack.js';

/** Time for more to come: one process removes what a whole pod leaves, and none starts while pods are being torn down. */
const GATHER_MS = 1_000;

/** Directories on their way out: a rename makes them invisible at once, a process of their own removes them behind everything else. */
export class Trash {
  readonly #closing = new AbortController();
  #names: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #last: Promise<void> = Promise.resolve();

  private constructor(
    private readonly directory: string,
    private readonly unpacker: Unpacker,
    private readonly log: Logger,
  ) {}

  /** What an earlier daemon did not get to is removed first. */
  static async open(directory: string, unpacker: Unpacker, log: Logger): Promise<Trash> {
    await makePrivateDirectory(directory);
    const trash = new Trash(directory, unpacker, log);
    for (const name of await readdir(directory)) trash.#add(name);
    return trash;
  }

  /** Takes a directory of the same filesystem away, if it is still there. False when it has to stay, for the disk cannot be written to. */
  async take(path: string): Promise<boolean> {
    const name = randomBytes(16).toString('hex');
    try {
      await rename(path, join(this.directory, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
      unlessUnwritable(error);
      return false;
    }
    this.#add(name);
    return true;
  }

  /** Resolves when everything taken so far is gone from the disk. */
  async empty(): Promise<void> {
    this.#reap();
    await this.#last;
  }

  /** Stops removing; what is left goes at the next start. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#names = [];
    this.#closing.abort();
    await this.#last;
  }

  #add(name: string): void {
    if (this.#closing.signal.aborted) return;
    this.#names.push(name);
    this.#timer ??= setTimeout(() => this.#reap(), GATHER_MS).unref();
  }

  #reap(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const names = this.#names.splice(0);
    if (names.length === 0) return;
    this.#last = this.#last
      .then(() => removeTrees(this.unpacker, this.directory, names, this.#closing.signal))
      .catch((error: unknown) => {
        if (this.#closing.signal.aborted) return;
        this.log.warn({ err: error, trash: this.directory }, 'cannot remove; the next start tries again');
      });
  }
}
