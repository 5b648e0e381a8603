import type { Stats } from 'node:fs';
import { constants, open, readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { isHostRoot } from '../../base/host-root.js';
import type { LoadedFile } from './index-devices.js';
import { parseSpecFile, SpecFileError } from './parse.js';
import type { SpecFile } from './spec-file.js';

const FORMATS: Readonly<Record<string, 'json' | 'yaml'>> = { '.json': 'json', '.yaml': 'yaml' };
const MAX_FILE = 1 << 20;
const MAX_FILES = 4096;
/** Of all files together. */
const MAX_BYTES = 32 << 20;
/** A file that was changed so shortly before it was looked at may be changed again without its times telling it. */
const UNSETTLED_MS = 100;

/** What is wrong with a file, or with a directory as a whole. */
export interface SpecProblem {
  readonly path: string;
  readonly message: string;
}

export interface Scanned {
  readonly files: readonly LoadedFile[];
  readonly problems: readonly SpecProblem[];
}

type Read = { readonly spec: SpecFile } | { readonly message: string };

interface Kept {
  readonly stamp: string;
  readonly settled: boolean;
  readonly read: Promise<Read>;
}

/** The files of the CDI directories. Nothing is watched: each scan looks at them, and reads again what has changed. */
export class SpecDirectories {
  #kept: ReadonlyMap<string, Kept> = new Map();

  constructor(readonly directories: readonly string[]) {}

  async scan(): Promise<Scanned> {
    const problems: SpecProblem[] = [];
    const found: LoadedFile[] = [];
    const kept = new Map<string, Kept>();
    let bytes = 0;
    for (const [priority, directory] of this.directories.entries())
      for (const path of await specFilesIn(directory, problems)) {
        const entry = await this.#look(path);
        if ('message' in entry) {
          problems.push({ path, message: entry.message });
          continue;
        }
        kept.set(path, entry);
        bytes += entry.size;
        const read = bytes > MAX_BYTES ? { message: `more than ${MAX_BYTES} bytes of CDI files` } : await entry.read;
        if ('spec' in read) found.push({ path, priority, spec: read.spec });
        else problems.push({ path, message: read.message });
      }
    this.#kept = kept;
    return { files: found, problems };
  }

  /** The file as it is now, read or kept from before. */
  async #look(path: string): Promise<(Kept & { size: number }) | { message: string }> {
    try {
      const info = await stat(path, { bigint: true });
      const size = Number(info.size);
      const stamp = `${info.dev} ${info.ino} ${info.size} ${info.mtimeNs} ${info.ctimeNs} ${info.mode} ${info.uid}`;
      const known = this.#kept.get(path);
      if (known?.settled && known.stamp === stamp) return { ...known, size };
      const settled = Date.now() - Number(info.ctimeMs) > UNSETTLED_MS;
      return { stamp, settled, size, read: readSpecFile(path) };
    } catch (error) {
      return { message: (error as Error).message };
    }
  }
}

/** In order of their names. A directory that does not exist is one without files. */
const specFilesIn = async (directory: string, problems: SpecProblem[]): Promise<string[]> => {
  try {
    const names = (await readdir(directory)).filter((name) => FORMATS[extname(name)] !== undefined).sort();
    if (names.length > MAX_FILES)
      problems.push({ path: directory, message: `more than ${MAX_FILES} files; the others are left out` });
    return names.slice(0, MAX_FILES).map((name) => join(directory, name));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') problems.push({ path: directory, message });
    return [];
  }
};

const readSpecFile = async (path: string): Promise<Read> => {
  try {
    return { spec: await parseSpecFile(await readBounded(path), FORMATS[extname(path)] ?? 'json') };
  } catch (error) {
    return { message: (error as Error).message };
  }
};

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

/** Whoever may write a file of these gets any file of the host into a container. */
const checkFile = (info: Stats): void => {
  if (!info.isFile()) throw new SpecFileError('not a regular file');
  if (info.size > MAX_FILE) throw new SpecFileError(`larger than ${MAX_FILE} bytes`);
  const foreign = !isHostRoot(info.uid) && info.uid !== process.geteuid?.();
  const writable = (info.mode & 0o002) !== 0 || ((info.mode & 0o020) !== 0 && !isHostRoot(info.gid));
  if (foreign || writable)
    throw new SpecFileError(
      `others than root can write it: owner ${info.uid}:${info.gid}, mode ${(info.mode & 0o777).toString(8)}; chown root:root and chmod 644`,
    );
};
