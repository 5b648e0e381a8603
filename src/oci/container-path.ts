import { posix } from 'node:path';
import { invalidArgument } from '../base/errors.js';

/**
 * A path inside the container in its shortest form. Only the spelling is checked here; where it leads is decided by the executor, in
 * the container's own tree.
 */
export function containerPath(path: string, what: string): string {
  if (!path.startsWith('/')) throw invalidArgument(`not an absolute path: ${what} ${JSON.stringify(path)}`);
  if (path.includes('\0')) throw invalidArgument(`NUL character in ${what} ${JSON.stringify(path)}`);
  if (path.split('/').includes('..'))
    throw invalidArgument(`".." in ${what} ${JSON.stringify(path)}; give the direct path`);
  const short = posix.normalize(path).replace(/(?<=.)\/$/, '');
  if (Buffer.byteLength(short) >= 4096) throw invalidArgument(`longer than 4095 bytes: ${what} ${short.slice(0, 64)}…`);
  return short;
}
