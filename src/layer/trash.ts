import { randomBytes } from 'node:crypto';
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { makePrivateDirectory } from '../durable-file.js';
import { removeTree, type Unpacker } from './unpack.js';

/** Directories on their way out: a rename makes them invisible at once, a process of their own removes them one after the other. */
export class Trash {
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
    for (const name of await readdir(directory)) trash.#reap(name);
    return trash;
  }

  /** Takes a directory of the same filesystem away; nothing happens when it is gone already. */
  async take(path: string): Promise<void> {
    const name = randomBytes(16).toString('hex');
    try {
      await rename(path, join(this.directory, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    this.#reap(name);
  }

  /** Resolves when everything taken so far is gone from the disk. */
  empty(): Promise<void> {
    return this.#last;
  }

  #reap(name: string): void {
    this.#last = this.#last
      .then(() => removeTree(this.unpacker, this.directory, name))
      .catch((error: unknown) => {
        this.log.warn({ err: error, trash: join(this.directory, name) }, 'cannot remove; the next start tries again');
      });
  }
}
