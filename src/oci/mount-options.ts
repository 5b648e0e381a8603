import type { MountFlag } from './plan.js';

const FLAGS: ReadonlySet<string> = new Set([
  'ro',
  'nosuid',
  'nodev',
  'noexec',
  'noatime',
  'relatime',
  'strictatime',
] satisfies MountFlag[]);

/** Words of a mount's options that are neither flags nor for the file system. */
const OTHERS: ReadonlySet<string> = new Set(['rbind', 'bind', 'rw', 'rro', 'rprivate', 'rslave', 'rshared']);

/** A word of ours; any other is for the file system that is mounted. */
export const isMountWord = (word: string): boolean => FLAGS.has(word) || OTHERS.has(word);

/** A word that is a bit of mount_setattr(2). */
export const isMountFlag = (word: string): word is MountFlag => FLAGS.has(word);
