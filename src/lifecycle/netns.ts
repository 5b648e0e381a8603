import { lstat, rm } from 'node:fs/promises';
import type { Runtime } from './runtime.js';

/** Lets go of a pinned network namespace whose supervisor could not do it itself; harmless when it is gone. */
export const unpinNetns = async (parts: Pick<Runtime, 'spawner'>, path: string): Promise<void> => {
  if (path === '' || !(await exists(path))) return;
  // The pin may be no mount any more (after a reboot it is an ordinary empty file), so only the removal of the file counts.
  await parts.spawner.run({
    argv: ['/bin/umount', '--lazy', '--no-canonicalize', path],
    env: {},
    stdin: '',
    timeoutMs: 10_000,
    maxOutput: 4096,
  });
  await rm(path, { force: true });
};

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );
