import { ownMappedIds } from './user-namespace.js';

/** The kernel's overflow ID (/proc/sys/kernel/overflowuid), which its own default is everywhere. */
const NOBODY = 65_534;

/**
 * Whether a file is root's of the host. In a user namespace that root has no ID and shows as nobody, as do others without one: who configures
 * a directory of another user's there has only this user's own files to lose.
 */
export const isHostRoot = (uid: number, mapped = ownMappedIds()): boolean =>
  uid === 0 || (mapped !== undefined && uid === NOBODY);
