import { type Config, DEFAULT_CONFIG, readConfig } from './config.js';
import { rootlessConfigFile, rootlessDefaults, userDirectories } from './user-directories.js';

/** Which daemon is meant: the node's, or an ordinary user's own, which is the only one such a user can speak to. */
export interface Whose {
  readonly config?: string | undefined;
  readonly rootless?: boolean | undefined;
}

export const isRoot = (): boolean => process.getuid?.() === 0;

/** The configuration of that daemon. @throws ConfigError */
export const ownConfig = ({ config: file, rootless = !isRoot() }: Whose): Config => {
  if (!rootless) return readConfig(file, DEFAULT_CONFIG);
  const directories = userDirectories(process.env);
  return readConfig(file, rootlessConfigFile(directories), rootlessDefaults(directories));
};
