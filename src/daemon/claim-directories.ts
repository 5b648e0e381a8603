import { openSync, readFileSync, statSync } from 'node:fs';
import type { Config } from '../base/config.js';
import { deviceNumber } from '../base/device-number.js';
import { failedPrecondition } from '../base/errors.js';
import type { NativeAddon } from '../native/addon.js';

/**
 * Makes this process the only daemon on its directories until it ends, however it ends. A second one would write over the journal of the
 * first and take its supervisors away, so this comes before either is touched.
 */
export const claimDirectories = (
  { root, state }: Pick<Config, 'root' | 'state'>,
  addon: Pick<NativeAddon, 'tryLock'>,
): void => {
  const claimed = new Set<string>();
  for (const directory of [root, state]) {
    const id = lockId(directory);
    if (claimed.has(id)) continue;
    // Never closed: the lock lives as long as the descriptor does.
    if (!addon.tryLock(openSync(directory, 'r')))
      throw failedPrecondition(
        `in use by another daemon${holder(id)}: ${directory}; stop that one, or give this one a root, a state and a socket of its own`,
      );
    claimed.add(id);
  }
};

/** A file as /proc/locks names it: major and minor number of its device in hexadecimal, inode. */
const lockId = (path: string): string => {
  const { dev, ino } = statSync(path, { bigint: true });
  const { major, minor } = deviceNumber(dev);
  return [hex(major), hex(minor), ino].join(':');
};

const hex = (number: bigint): string => number.toString(16).padStart(2, '0');

/** The pid for people; file systems with device numbers of their own (btrfs) do not tell. */
const holder = (id: string): string => {
  const lines = readFileSync('/proc/locks', 'utf8').split('\n');
  const fields = lines.map((line) => line.split(/\s+/)).find((line) => line[1] === 'FLOCK' && line[5] === id);
  return fields ? ` (pid ${fields[4]})` : '';
};
