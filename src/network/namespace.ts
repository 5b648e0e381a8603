import { statfsSync } from 'node:fs';

const NSFS_MAGIC = 0x6e736673;

/**
 * A path that is missing, or shadowed by something that is no namespace, must not be handed to a plugin as the pod's.
 */
export const isNamespace = (path: string): boolean => {
  try {
    return path.startsWith('/') && statfsSync(path).type === NSFS_MAGIC;
  } catch {
    return false;
  }
};
