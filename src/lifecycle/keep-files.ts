import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Prepared } from './maker.js';

/** Files of a container for exec, for people, and for whoever else reads OCI. They are on a tmpfs: nothing is waited for. */
export const keepFiles = ({ files }: Pick<Prepared, 'files'>): void => {
  for (const { path, text } of files) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, text(), { mode: 0o600 });
  }
};
