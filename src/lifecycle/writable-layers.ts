import { relative } from 'node:path';
import type { Config } from '../base/config.js';
import { countTrees, type Unpacker } from '../layer/unpack.js';
import type { CountTrees } from '../stats/directory-usage.js';
import { containersDirectory } from './paths.js';

/** Counts what containers have written, by jangada-unpack: it sees nothing but the containers' directories. */
export const countWritableLayers =
  (config: Config, unpacker: Unpacker): CountTrees =>
  (directories, limitMs, signal) => {
    const parent = containersDirectory(config);
    return countTrees(
      unpacker,
      parent,
      directories.map((directory) => relative(parent, directory)),
      limitMs,
      signal,
    );
  };
