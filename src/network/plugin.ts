import { realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

/**
 * The executable of a plugin type, or why there is none to be trusted. It runs as root with our privileges, so whoever
 * could write it or place it owns the node (CVE-2021-20206). A link is followed, but only to a file that lies in a
 * configured directory itself: several distributions ship one program under many names.
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
  if (!binDirs.some((binDir) => within(target, binDir)))
    return `CNI plugin ${path} is a link to ${target}, outside the plugin directories`;
  const file = statSync(target);
  if (!file.isFile()) return `CNI plugin ${path} is not a regular file`;
  if ((file.mode & 0o111) === 0) return `CNI plugin ${path} is not executable`;
  return untrusted(path, file, owner) ?? untrusted(dirname(target), statSync(dirname(target)), owner);
};

const untrusted = (path: string, { uid, mode }: Stats, owner: number): string | undefined => {
  if (uid !== owner) return `CNI plugin cannot be trusted: ${path} belongs to uid ${uid}, not to root`;
  if ((mode & 0o022) !== 0)
    return `CNI plugin cannot be trusted: ${path} is writable by others than its owner (mode ${(mode & 0o7777).toString(8)})`;
  return undefined;
};

const within = (target: string, directory: string): boolean => {
  try {
    return target.startsWith(realpathSync(directory) + sep);
  } catch {
    return false;
  }
};
