import { mkdir, stat } from 'node:fs/promises';
import { invalidArgument } from '../base/errors.js';
import type { Mount__Output } from '../gen/runtime/v1/Mount.js';

type HostMount = Pick<Mount__Output, 'hostPath' | 'containerPath'>;

/** Those of the mounts whose source is not there. Whatever else is wrong with one is said where it is mounted. */
export const missingHostPaths = async (mounts: readonly Mount__Output[]): Promise<HostMount[]> => {
  const sources = mounts.filter(({ image, hostPath }) => !image?.image && /^\/[^\0]*$/.test(hostPath));
  const missing = await Promise.all(sources.map(({ hostPath }) => isMissing(hostPath)));
  return sources.filter((_, index) => missing[index]);
};

/** Makes them, 0755 and root's, as peers and Docker do: manifests rely on it (docs/decisions/0021). */
export const makeHostPaths = async (missing: readonly HostMount[]): Promise<void> => {
  for (const mount of missing) await make(mount);
};

const make = async ({ hostPath, containerPath }: HostMount): Promise<void> => {
  const names = hostPath.split('/').filter((name) => name !== '');
  try {
    // One by one: where the kernel lets nobody make anything, as in /proc, Node's own `recursive` never ends.
    for (const index of names.keys()) await makeOne(`/${names.slice(0, index + 1).join('/')}`);
    await stat(hostPath);
  } catch (error) {
    const { code = '', path } = error as NodeJS.ErrnoException;
    throw invalidArgument(
      `no such directory, and it cannot be made (${code} at ${path}): host_path ${hostPath} of mount ${containerPath}`,
      error,
    );
  }
};

const makeOne = async (path: string): Promise<void> => {
  try {
    await mkdir(path, { mode: 0o755 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
};

const isMissing = (path: string): Promise<boolean> =>
  stat(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
