import { MOUNT_FLAG, MOUNT_OPTIONS, type MountFlag } from '../gen/plan.js';

/** Words a CRI request may add to a mount (api.proto, Mount.mount_options). A closed set: option strings never travel further. */
export const REQUESTABLE: ReadonlySet<string> = new Set(
  Object.keys(MOUNT_OPTIONS).filter((word) => MOUNT_OPTIONS[word]?.requested),
);

/** A word of ours; any other is for the file system that is mounted. */
export const isMountWord = (word: string): boolean => Object.hasOwn(MOUNT_OPTIONS, word);

/** A word that is a bit of mount_setattr(2). */
export const isMountFlag = (word: string): word is MountFlag => Object.hasOwn(MOUNT_FLAG, word);

/** A word that takes something away from who uses the mount. */
export const restricts = (word: string): boolean => isMountWord(word) && MOUNT_OPTIONS[word]?.restricts === true;
