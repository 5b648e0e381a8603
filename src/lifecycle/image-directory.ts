import { constants, type FSWatcher, type Stats, watch } from 'node:fs';
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Imports } from './image-import.js';

/** How often a file is looked at that somebody still writes. */
const WRITING_MS = 250;

export interface ImageDirectoryParts {
  readonly imports: Pick<Imports, 'file'>;
  readonly log: Logger;
  readonly isBeingWritten: (fd: number) => boolean;
}

/**
 * Takes the images of every archive that is put into a directory, at the start and later, and pins them: a node without a registry has
 * no other way to them. A file counts when nobody has it open for writing any more; names with a dot in front are on their way (rsync).
 */
export class ImageDirectory {
  /** Names to look at, in their order. */
  readonly #pending = new Set<string>();
  readonly #writing = new Map<string, NodeJS.Timeout>();
  /** What was taken last under a name. */
  readonly #taken = new Map<string, string>();
  #watcher: FSWatcher | undefined;
  #working = false;
  #closed = false;

  constructor(
    private readonly directory: string,
    private readonly parts: ImageDirectoryParts,
  ) {}

  /** A directory that cannot be watched costs its images and nothing else. */
  async start(): Promise<void> {
    const { log } = this.parts;
    try {
      await mkdir(this.directory, { recursive: true, mode: 0o700 });
      if (!isOurs(await stat(this.directory))) throw new Error('others than root may write to it');
      this.#watcher = watch(this.directory, (_event, name) => name !== null && this.#look(name));
      this.#watcher.on('error', (err) => log.error({ err, directory: this.directory }, 'no longer watched for images'));
      for (const name of (await readdir(this.directory)).sort()) this.#look(name);
    } catch (err) {
      log.error({ err, directory: this.directory }, 'cannot watch for archives of images');
    }
  }

  /** Looks at nothing any more; an import that runs is ended where imports are. */
  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    for (const timer of this.#writing.values()) clearTimeout(timer);
  }

  #look(name: string): void {
    if (this.#closed || name.startsWith('.')) return;
    this.#pending.add(name);
    if (!this.#working) void this.#work();
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (const name of this.#pending) {
      if (this.#closed) return;
      this.#pending.delete(name);
      await this.#take(name).catch((err: unknown) => this.#complain(name, err));
    }
    this.#working = false;
  }

  async #take(name: string): Promise<void> {
    const path = join(this.directory, name);
    const state = await this.#stateOf(path);
    if (state === 'writing') return this.#lookAgain(name);
    if (state === 'gone') return void this.#taken.delete(name);
    if (this.#taken.get(name) === state) return;
    this.#taken.set(name, state);
    const { failures } = await this.parts.imports.file(path, `archive ${path}`, true);
    for (const { error } of failures) this.#complain(name, error);
  }

  /** What tells a file from another one under its name. */
  async #stateOf(path: string): Promise<string> {
    // A pipe would wait for its writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    try {
      const stats = await file?.stat();
      if (!file || !stats?.isFile()) return 'gone';
      if (!isOurs(stats)) throw new Error('others than root may write to it');
      return this.parts.isBeingWritten(file.fd) ? 'writing' : `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
    } finally {
      await file?.close();
    }
  }

  /** Nothing is told when a writer closes it (Node's watch knows no IN_CLOSE_WRITE). */
  #lookAgain(name: string): void {
    clearTimeout(this.#writing.get(name));
    const again = () => {
      this.#writing.delete(name);
      this.#look(name);
    };
    this.#writing.set(name, setTimeout(again, WRITING_MS).unref());
  }

  #complain(name: string, err: unknown): void {
    if (!this.#closed) this.parts.log.error({ err, archive: join(this.directory, name) }, 'image not imported');
  }
}

const isOurs = ({ uid, mode }: Stats): boolean => uid === process.getuid?.() && (mode & 0o022) === 0;
