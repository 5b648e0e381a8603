import { readFileSync, statfsSync, statSync } from 'node:fs';
import type { Sample } from './metric-descriptors.js';

/** The filesystem of the writable layers. */
export class Filesystem {
  readonly #directory: string;
  #device: string | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Its size and what is free of it: the same for every container on it. */
  samples(): Sample[] {
    const { blocks, bsize, files, ffree } = statfsSync(this.#directory);
    const labels = [this.device];
    return [
      { name: 'container_fs_limit_bytes', value: blocks * bsize, labels },
      { name: 'container_fs_inodes_total', value: files, labels },
      { name: 'container_fs_inodes_free', value: ffree, labels },
    ];
  }

  /** What is mounted there, as the mount table calls it. */
  get device(): string {
    return (this.#device ??= sourceOf(statSync(this.#directory).dev, readFileSync('/proc/self/mountinfo', 'latin1')));
  }
}

/** `36 35 98:0 / /mnt rw master:1 - ext3 /dev/root rw` (proc_pid_mountinfo(5)); st_dev is encoded as makedev(3) does. */
export const sourceOf = (dev: number, mountinfo: string): string => {
  const number = `${((dev >>> 8) & 0xfff) | (Math.floor(dev / 2 ** 32) & ~0xfff)}:${(dev & 0xff) | ((dev >>> 12) & ~0xff & 0xfffff)}`;
  const line = mountinfo.split('\n').find((text) => text.split(' ')[2] === number);
  return line?.split(' - ')[1]?.split(' ')[1] ?? number;
};
