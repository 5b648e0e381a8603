import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { type ConfigError, isConfigError, type NetworkConfig, parseConfig, parseJson, pluginFolder } from './config.js';

const EXTENSIONS = ['.conflist', '.conf', '.json'];
const FOLDER_EXTENSIONS = ['.conf'];
const MAX_FILE = 1 << 20;

export interface Loaded {
  readonly config: NetworkConfig | undefined;
  readonly errors: readonly ConfigError[];
}

/**
 * The first valid file of the directory in lexical order, and what is wrong with those before it. A file that was in force and cannot be
 * read now is most likely being written: what it said last stays in force until it can be read again, or is gone.
 */
export const loadConfig = (directory: string, inForce?: NetworkConfig): Loaded => {
  const listed = filesIn(directory, EXTENSIONS);
  const errors: ConfigError[] = listed.error ? [listed.error] : [];
  for (const file of listed.files) {
    const config = readConfig(file);
    if (!isConfigError(config)) return { config, errors };
    if (inForce?.file !== file) {
      errors.push(config);
      continue;
    }
    errors.push({ file, message: `${config.message}; what it said before stays in force` });
    return { config: inForce, errors };
  }
  return { config: undefined, errors };
};

/** What `loadConfig` reads, as of now: another text when any of it has changed. */
export const stampOf = (directory: string): string => {
  const { files, error } = filesIn(directory, EXTENSIONS);
  const folders = subdirectories(directory).flatMap((folder) => filesIn(folder, FOLDER_EXTENSIONS).files);
  const stamps = [...files, ...folders].map((file) => {
    const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
    return stat ? `${file} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}` : file;
  });
  return `${files.length} files ${error?.message ?? ''}\n${stamps.join('\n')}`;
};

const subdirectories = (directory: string): string[] => {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => !entry.isFile()).map(({ name }) => join(directory, name));
  } catch {
    return [];
  }
};

/** A directory that does not exist is one without files: the network's own installer makes it. */
const filesIn = (directory: string, extensions: readonly string[]): { files: string[]; error?: ConfigError } => {
  try {
    // Compared by code unit, as every other runtime does: a locale must not decide which network a node is on.
    const names = readdirSync(directory).sort((a, b) => (a < b ? -1 : 1));
    return { files: names.filter((name) => extensions.includes(extname(name))).map((name) => join(directory, name)) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? { files: [] } : { files: [], error: { file: directory, message } };
  }
};

const readConfig = (file: string): NetworkConfig | ConfigError => {
  const read = readJson(file);
  if (isConfigError(read)) return read;
  const folder = pluginFolder(read.json);
  const { files, error } =
    folder === undefined ? { files: [], error: undefined } : filesIn(join(dirname(file), folder), FOLDER_EXTENSIONS);
  if (error) return { file, message: error.message };
  const added: object[] = [];
  for (const path of files) {
    const plugin = readJson(path);
    if (isConfigError(plugin)) return { file, message: `${plugin.message} (${path})` };
    added.push(plugin.json);
  }
  return parseConfig(file, read.json, added);
};

const readJson = (file: string): { json: object } | ConfigError => {
  try {
    const { size } = statSync(file);
    if (size > MAX_FILE) return { file, message: `larger than ${MAX_FILE} bytes` };
    return parseJson(file, readFileSync(file, 'utf8'));
  } catch (error) {
    return { file, message: (error as Error).message };
  }
};
