import type { Stats } from 'node:fs';
import { constants, open, readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { isHostRoot } from '../base/host-root.js';

const MAX_FILE = 1 << 20;
const MAX_FILES = 4096;
/** Of all files together. */
const MAX_BYTES = 32 << 20;
/** A file that was changed so shortly before it was looked at may be changed again without its times telling it. */
const UNSETTLED_MS = 100;

/** What is wrong with a file, or with a directory as a whole. */
export interface FileProblem {
  readonly path: string;
  readonly message: string;
}

/** A file that could be read, and the place of its directory in the configured list. */
export interface ScannedFile<T> {
  readonly path: string;
  readonly priority: number;
  readonly content: T;
}

export interface Scanned<T> {
  readonly files: ReadonlyArray<ScannedFile<T>>;
  readonly problems: readonly FileProblem[];
}

type Read<T> = { readonly content: T } | { readonly message: string };

interface Kept<T> {
  readonly stamp: string;
  readonly settled: boolean;
  readonly read: Promise<Read<T>>;
}

/** What a directory holds, and how a file of it is read: by its extension. */
export interface FileKind<T> {
  readonly what: string;
  readonly extensions: readonly string[];
  readonly parse: (text: string, extension: string) => T | Promise<T>;
}

/** Files that others put into directories. Nothing is watched: each scan looks at them, and reads again what has changed. */
export class ScannedDirectories<T> {
  #kept: ReadonlyMap<string, Kept<T>> = new Map();

  constructor(
    readonly directories: readonly string[],
    private readonly kind: FileKind<T>,
  ) {}

  async scan(): Promise<Scanned<T>> {
    const problems: FileProblem[] = [];
    const found: Array<ScannedFile<T>> = [];
    const kept = new Map<string, Kept<T>>();
    let bytes = 0;
    for (const [priority, directory] of this.directories.entries())
      for (const path of await this.#filesIn(directory, problems)) {
        const entry = await this.#look(path);
        if ('message' in entry) {
          problems.push({ path, message: entry.message });
          continue;
        }
        kept.set(path, entry);
        bytes += entry.size;
        const read =
          bytes > MAX_BYTES ? { message: `more than ${MAX_BYTES} bytes of ${this.kind.what}` } : await entry.read;
        if ('message' in read) problems.push({ path, message: read.message });
        else found.push({ path, priority, content: read.content });
      }
    this.#kept = kept;
    return { files: found, problems };
  }

  /** The file as it is now, read or kept from before. */
  async #look(path: string): Promise<(Kept<T> & { size: number }) | { message: string }> {
    try {
      const info = await stat(path, { bigint: true });
      const size = Number(info.size);
      const stamp = `${info.dev} ${info.ino} ${info.size} ${info.mtimeNs} ${info.ctimeNs} ${info.mode} ${info.uid}`;
      const known = this.#kept.get(path);
      if (known?.settled && known.stamp === stamp) return { ...known, size };
      const settled = Date.now() - Number(info.ctimeMs) > UNSETTLED_MS;
      return { stamp, settled, size, read: this.#read(path) };
    } catch (error) {
      return { message: (error as Error).message };
    }
  }

  /** In order of their names. A directory that does not exist is one without files. */
  async #filesIn(directory: string, problems: FileProblem[]): Promise<string[]> {
    try {
      const names = (await readdir(directory)).filter((name) => this.kind.extensions.includes(extname(name))).sort();
      if (names.length > MAX_FILES)
        problems.push({ path: directory, message: `more than ${MAX_FILES} files; the others are left out` });
      return names.slice(0, MAX_FILES).map((name) => join(directory, name));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') problems.push({ path: directory, message });
      return [];
    }
  }

  async #read(path: string): Promise<Read<T>> {
    try {
      return { content: await this.kind.parse(await readBounded(path), extname(path)) };
    } catch (error) {
      return { message: (error as Error).message };
    }
  }
}

/** A link may lead to the file, as those of mounted ConfigMaps do, but never to a pipe that nobody writes to. */
const readBounded = async (path: string): Promise<string> => {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const info = await file.stat();
    checkFile(info);
    const buffer = Buffer.alloc(info.size);
    const { bytesRead } = await file.read(buffer, 0, info.size, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
};

/** Whoever may write a file of these changes containers as root. */
const checkFile = (info: Stats): void => {
  if (!info.isFile()) throw new Error('not a regular file');
  if (info.size > MAX_FILE) throw new Error(`larger than ${MAX_FILE} bytes`);
  const foreign = !isHostRoot(info.uid) && info.uid !== process.geteuid?.();
  const writable = (info.mode & 0o002) !== 0 || ((info.mode & 0o020) !== 0 && !isHostRoot(info.gid));
  if (foreign || writable)
    throw new Error(
      `others than root can write it: owner ${info.uid}:${info.gid}, mode ${(info.mode & 0o777).toString(8)}; chown root:root and chmod 644`,
    );
};
