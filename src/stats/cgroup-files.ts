import { closeSync, openSync, readFileSync } from 'node:fs';
import { isAbsent, readCgroupFile, readOpenFile } from './cgroup-file.js';

/** Reads one file, named by its absolute path; undefined when it is not there (any more). */
export type ReadFile = (path: string) => string | undefined;

/**
 * Files of cgroups that are read again and again. They stay open, because opening and closing one costs several times what reading it
 * does. An open file does not hold its cgroup: it says ENODEV once that is removed.
 */
export class CgroupFiles {
  readonly #cgroups = new Map<string, Map<string, number>>();
  #open = 0;

  /** Beyond `most` open files each reading opens its own. */
  constructor(private readonly most = quarterOfLimit()) {}

  /** Reads files of this cgroup; the name only says which files to close together. */
  of(cgroup: string): ReadFile {
    return (path) => {
      const files = this.#cgroups.get(cgroup);
      const fd = files?.get(path);
      if (fd === undefined) return this.#open < this.most ? this.#first(cgroup, path) : readCgroupFile(path);
      const text = readOpenFile(fd);
      if (text === undefined) this.#close(cgroup, path, fd);
      return text;
    };
  }

  /** To be called when a cgroup is gone. */
  forget(cgroup: string): void {
    for (const [path, fd] of this.#cgroups.get(cgroup) ?? []) this.#close(cgroup, path, fd);
    this.#cgroups.delete(cgroup);
  }

  #first(cgroup: string, path: string): string | undefined {
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
    const files = this.#cgroups.get(cgroup) ?? new Map<string, number>();
    this.#cgroups.set(cgroup, files.set(path, fd));
    this.#open++;
    const text = readOpenFile(fd);
    if (text === undefined) this.#close(cgroup, path, fd);
    return text;
  }

  #close(cgroup: string, path: string, fd: number): void {
    closeSync(fd);
    this.#open--;
    this.#cgroups.get(cgroup)?.delete(path);
  }
}

/** The rest is for sockets, layers and logs. Node has raised the soft limit to the hard one. */
const quarterOfLimit = (): number => {
  const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
  return Math.floor(Number(soft ?? 1024) / 4);
};
