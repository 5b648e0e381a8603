import { lstatSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { isHostRoot } from '../base/host-root.js';

const MAX_LINKS = 40;

/**
 * The executable of a plugin type, or why there is none to be trusted. It runs as root with our privileges, so whoever could write it or
 * place it owns the node (CVE-2021-20206). A link is followed: several distributions ship one program under many names, and some keep
 * programs elsewhere (NixOS, k3s), where nobody but root may have a hand in the whole way to it.
 */
export const findPlugin = (
  type: string,
  binDirs: readonly string[],
  owner = 0,
): { path: string } | { error: string } => {
  for (const binDir of binDirs) {
    const path = join(binDir, type);
    let target: string;
    try {
      target = realpathSync(path);
    } catch {
      continue;
    }
    const error = inspect(path, target, binDirs, owner);
    return error ? { error } : { path };
  }
  return { error: `CNI plugin "${type}" is missing: no such file in ${binDirs.join(' or ')}` };
};

const inspect = (path: string, target: string, binDirs: readonly string[], owner: number): string | undefined => {
  const file = statSync(target);
  if (!file.isFile()) return `CNI plugin ${path} is not a regular file`;
  if ((file.mode & 0o111) === 0) return `CNI plugin ${path} is not executable`;
  for (const place of [target, dirname(target), dirname(path)]) {
    const error = untrusted(place, statSync(place), owner);
    if (error) return error;
  }
  if (binDirs.some((binDir) => within(target, binDir))) return undefined;
  const error = untrustedWay(path, owner);
  return error && `${error}, and ${path} is a link to ${target}`;
};

const untrusted = (path: string, { uid, mode }: Pick<Stats, 'uid' | 'mode'>, owner: number): string | undefined => {
  if (uid !== owner && !(owner === 0 && isHostRoot(uid)))
    return `CNI plugin cannot be trusted: ${path} belongs to uid ${uid}, not to root`;
  if ((mode & 0o022) !== 0)
    return `CNI plugin cannot be trusted: ${path} is writable by others than its owner (mode ${(mode & 0o7777).toString(8)})`;
  return undefined;
};

/** Every directory and every link on the way to a file, whoever could change one of which could put another file at its end. */
const untrustedWay = (path: string, owner: number): string | undefined => {
  let at: string = '/';
  let links = 0;
  const ahead = path.split(sep).filter(Boolean);
  for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
    const next = join(at, name);
    const stat = lstatSync(next);
    const error = untrustedStep(next, stat, owner);
    if (error) return error;
    if (!stat.isSymbolicLink()) {
      at = next;
      continue;
    }
    if (++links > MAX_LINKS) return `CNI plugin cannot be trusted: more than ${MAX_LINKS} links on the way to ${path}`;
    const target = readlinkSync(next);
    ahead.unshift(...target.split(sep).filter(Boolean));
    if (target.startsWith(sep)) at = '/';
  }
  return undefined;
};

/** In a sticky directory (/nix/store) nobody but its owner replaces an entry; the mode of a link means nothing. */
const untrustedStep = (path: string, stat: Stats, owner: number): string | undefined => {
  const sticky = stat.isDirectory() && (stat.mode & 0o1000) !== 0;
  const { uid } = stat;
  const mode = stat.isSymbolicLink() || sticky ? 0 : stat.mode;
  return untrusted(path, { uid, mode }, uid === 0 ? uid : owner);
};

const within = (target: string, directory: string): boolean => {
  try {
    return target.startsWith(realpathSync(directory) + sep);
  } catch {
    return false;
  }
};
