import { closeSync, openSync, readSync } from 'node:fs';

/** memory.stat is the largest file read here: about 2 KiB, 4 KiB on a host with many extras. */
const buffer = Buffer.allocUnsafe(16 << 10);

/**
 * The text of one cgroup file; undefined when it, or its cgroup, is not there (any more). Synchronous on purpose: the
 * kernel makes the text up without waiting for a device, and open, read and close take 6 µs together against 60 µs by
 * way of the thread pool.
 */
export const readCgroupFile = (path: string): string | undefined => {
  let fd = -1;
  try {
    fd = openSync(path, 'r');
    return readOpenFile(fd);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  } finally {
    if (fd >= 0) closeSync(fd);
  }
};

/** What the file says now; undefined when its cgroup was removed. */
export const readOpenFile = (fd: number): string | undefined => {
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
};

/** ENODEV: the cgroup was removed while the file was open. EOPNOTSUPP: pressure files when the kernel runs with psi=0. */
export const isAbsent = (error: unknown): boolean => ABSENT.has((error as NodeJS.ErrnoException).code ?? '');

const ABSENT = new Set(['ENOENT', 'ENODEV', 'ENOTDIR', 'EOPNOTSUPP', 'ENOTSUP']);

/** A file of one number; "max" and v1's nearly 2^63 are both "no limit", which is Infinity. */
export const numberOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : limitOf(text);

const UNLIMITED = 2 ** 62;

const limitOf = (text: string): number => {
  if (text.startsWith('max')) return Number.POSITIVE_INFINITY;
  const value = Number(text);
  return value >= UNLIMITED ? Number.POSITIVE_INFINITY : value;
};

/** One value of a `key value` file; undefined when the kernel does not report it. */
export const field = (text: string, key: string): number | undefined => {
  const value = fieldText(text, key);
  return value === undefined ? undefined : limitOf(value);
};

export const fieldText = (text: string, key: string): string | undefined => {
  const at = text.startsWith(`${key} `) ? 0 : text.indexOf(`\n${key} `) + 1;
  if (at === 0 && !text.startsWith(`${key} `)) return undefined;
  const end = text.indexOf('\n', at);
  return text.slice(at + key.length + 1, end < 0 ? undefined : end);
};
