import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../base/config.js';

const DIRECTORIES = ['dev', 'etc', 'proc', 'sys'];
const FILES = ['etc/hostname', 'etc/hosts', 'etc/resolv.conf'];

/**
 * The lowest layer of every container: empty places for what is always mounted, so that nothing has to be made in (and copied up to) the
 * writable layer of an image that lacks them; each new inode costs 0.3 ms and more. What the image itself has there hides it.
 */
export const mountPointsLayer = (config: Pick<Config, 'root'>): string => join(config.root, 'mount-points');

export const makeMountPoints = async (config: Pick<Config, 'root'>): Promise<void> => {
  const layer = mountPointsLayer(config);
  await mkdir(layer, { recursive: true, mode: 0o755 });
  for (const name of DIRECTORIES) await mkdir(join(layer, name), { recursive: true, mode: 0o755 });
  for (const name of FILES) await makeFile(join(layer, name));
};

/** One that is there is left alone: the disk may be read-only by now. */
const makeFile = async (path: string): Promise<void> => {
  await writeFile(path, '', { mode: 0o644, flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
};
