import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What is kept about an unpacked layer, in its layer.json. */
export interface Layer {
  readonly version: 1;
  readonly diffId: string;
  /** Bytes of all its files. */
  readonly size: number;
  /** Entries of its archive, and directories that it left out. */
  readonly entries: number;
  /** Directories about which its stack has more to say (seam.ts); absent in records of old. */
  readonly marks?: number;
  /** Number of the session that unpacked it. */
  readonly session: number;
}

const RECORD = 'layer.json';
const MARKS = 'marks';
const BATCH = 16;

export const recordOf = (directory: string): string => join(directory, RECORD);

export const marksOf = (directory: string): string => join(directory, MARKS);

/** The record of a layer whose unpacking came to its end; undefined for anything else. */
export const readLayer = async (directory: string, diffId: string): Promise<Layer | undefined> => {
  try {
    const layer = JSON.parse(await readFile(recordOf(directory), 'utf8')) as Layer | null;
    const whole =
      layer?.version === 1 &&
      layer.diffId === diffId &&
      [layer.size, layer.entries, layer.session, layer.marks ?? 0].every((value) => Number.isSafeInteger(value));
    return whole && (await stat(join(directory, 'fs'))).isDirectory() ? layer : undefined;
  } catch {
    return undefined; // not whole: the layer is pulled again
  }
};

/**
 * Whether the files of a layer are as long together as when it was unpacked. A lost write shows as a missing, short or empty file; a
 * changed byte does not show here.
 */
export const isComplete = async (directory: string, layer: Layer): Promise<boolean> => {
  try {
    if (layer.marks && (await countOf(marksOf(directory), 0)) !== layer.marks) return false;
    return (await fileBytes(join(directory, 'fs'))) === layer.size;
  } catch {
    return false; // a directory that cannot be read
  }
};

const countOf = async (file: string, byte: number): Promise<number> => {
  let count = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>)
    for (let at = chunk.indexOf(byte); at >= 0; at = chunk.indexOf(byte, at + 1)) count++;
  return count;
};

/** Bytes of all regular files below `root`, a hard-linked one once. No link is followed. */
const fileBytes = async (root: string): Promise<number> => {
  const linked = new Set<number>();
  let bytes = 0;
  // Names of strangers are bytes, not always UTF-8: latin1 keeps each byte.
  const directories = [Buffer.from(root)];
  for (let directory = directories.pop(); directory; directory = directories.pop()) {
    const parent = directory;
    const pathOf = (name: string) => Buffer.concat([parent, Buffer.from(`/${name}`, 'latin1')]);
    const entries = await readdir(parent, { withFileTypes: true, encoding: 'latin1' });
    for (const entry of entries) if (entry.isDirectory()) directories.push(pathOf(entry.name));
    const files = entries.filter((entry) => entry.isFile());
    for (let at = 0; at < files.length; at += BATCH) {
      for (const stats of await Promise.all(files.slice(at, at + BATCH).map(({ name }) => lstat(pathOf(name))))) {
        if (stats.nlink > 1 && linked.size === linked.add(stats.ino).size) continue;
        bytes += stats.size;
      }
    }
  }
  return bytes;
};
