import { closeSync, constants, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** The ends of more than a thousand containers. */
export const RESERVE = 1 << 20;
const GROWTH = 256 << 10;

/**
 * The file below the journal. Behind the entries it holds zeros that later ones are written over: with what is held in reserve all there is
 * can end on a full disk. An eviction that could not be written down would free nothing.
 */
export class JournalFile {
  #fd = -1;
  #size = 0;
  /** Length of the file; what is between is allocated. */
  #room = 0;

  constructor(private readonly path: string) {}

  /** Of what is believed. */
  get size(): number {
    return this.#size;
  }

  /** Bytes that a full disk cannot refuse. */
  get free(): number {
    return this.#room - this.#size;
  }

  read(): Buffer {
    try {
      return readFileSync(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    }
  }

  /** Goes on behind the first `end` of its `length` bytes, as soon as it can be written. */
  goOn(end: number, length: number): void {
    this.#size = end;
    this.#room = length;
  }

  /** @throws ENOSPC and its like when there would not be `reserve` left behind `data`. */
  append(data: Buffer, reserve: number): void {
    const fd = this.#opened();
    this.#makeRoom(fd, this.#size + data.length, reserve);
    writeAll(fd, data, this.#size);
    this.#size += data.length;
  }

  /** Puts `data` in the place of all there is, whole and on disk; nothing has changed when it fails. */
  replace(data: Buffer): void {
    const file = Buffer.concat([data, Buffer.alloc(RESERVE + GROWTH)]);
    const fd = replaceFile(this.path, file);
    this.close();
    this.#fd = fd;
    this.#size = data.length;
    this.#room = file.length;
  }

  /**
   * Writes nothing. access(2) would not do: ext4 after an error refuses to open for writing, without calling itself read-only.
   * @throws EROFS and its like when nothing can be written.
   */
  check(): void {
    this.#opened();
    closeSync(openSync(this.path, 'r+'));
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  /** What is damaged behind the end becomes zeros, or a later entry could bring a piece of it back. */
  #opened(): number {
    if (this.#fd >= 0) return this.#fd;
    const fd = openSync(this.path, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      writeAll(fd, Buffer.alloc(this.#room - this.#size), this.#size);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#fd = fd;
    return fd;
  }

  #makeRoom(fd: number, end: number, reserve: number): void {
    if (this.#room >= end + Math.max(reserve, RESERVE)) return;
    try {
      const zeros = Buffer.alloc(end + RESERVE + GROWTH - this.#room);
      for (let at = 0; at < zeros.length; ) {
        const written = writeSync(fd, zeros, at, zeros.length - at, this.#room);
        at += written;
        this.#room += written;
      }
    } catch (error) {
      if (this.#room < end + reserve) throw error;
    }
  }
}

/** Answers the descriptor of what is in the place now. */
const replaceFile = (path: string, data: Buffer): number => {
  const temporary = `${path}.new`;
  const fd = openSync(temporary, 'w', 0o600);
  try {
    writeAll(fd, data, 0);
    fsyncSync(fd);
    const directory = openSync(dirname(path), 'r');
    try {
      renameSync(temporary, path);
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    rmSync(temporary, { force: true });
    throw error;
  }
};

/** At a position of our own: the descriptor's is wherever the last write ended, well or badly. */
const writeAll = (fd: number, data: Buffer, position: number): void => {
  for (let at = 0; at < data.length; ) at += writeSync(fd, data, at, data.length - at, position + at);
};
