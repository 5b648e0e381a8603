import { closeSync, constants, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { invalidArgument } from '../base/errors.js';
import { fromJson, toJson } from './bytes-in-json.js';

/** One journalled fact: the newest value of an object, fields of it that are new, or, with neither, that it is gone. */
export type JournalEntry = { kind: string; id: string; value?: object; change?: object };

const HEADER = 8; // u32 length, u32 crc32 of the payload, both little-endian
/** What a request may write at once: as much as a supervisor's frame holds. */
const MAX_APPEND = 8 << 20;
/** An object and what was changed of it later, when compaction puts them together. */
const MAX_ENTRY = 4 * MAX_APPEND;
/** The ends of more than a thousand containers. */
const RESERVE = 1 << 20;
const GROWTH = 256 << 10;
const COMPACT_EVERY = 4 << 20;

/** @throws INVALID_ARGUMENT for what would not be read back, and would hide everything after it. */
export const encodeEntry = (entry: JournalEntry, max = MAX_APPEND): Buffer => {
  const payload = Buffer.from(toJson(entry));
  if (payload.length > max)
    throw invalidArgument(
      `too large: ${entry.kind} ${entry.id} takes ${payload.length} bytes in the journal, ${max} are the most; shorten its environment, labels or annotations`,
    );
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt32LE(crc32(payload), 4);
  return Buffer.concat([header, payload]);
};

/** Every whole entry of `data`; `end` is where the first torn or damaged one begins, and nothing after it is believed. */
export const decodeEntries = (data: Buffer): { entries: JournalEntry[]; end: number } => {
  const entries: JournalEntry[] = [];
  let at = 0;
  while (data.length - at >= HEADER) {
    const length = data.readUInt32LE(at);
    const payload = data.subarray(at + HEADER, at + HEADER + length);
    // Zeros, as a power loss leaves them where a file had grown, are a right checksum of nothing.
    if (length === 0 || length > MAX_ENTRY || payload.length < length) break;
    if (crc32(payload) !== data.readUInt32LE(at + 4)) break;
    const entry = parse(payload);
    if (!entry) break;
    entries.push(entry);
    at += HEADER + length;
  }
  return { entries, end: at };
};

const parse = (payload: Buffer): JournalEntry | undefined => {
  try {
    return fromJson(payload.toString()) as JournalEntry;
  } catch {
    return undefined; // damage, whatever the checksum says
  }
};

/**
 * What was asked of the daemon, on disk before it is acted upon. Appends are plain writes: they survive a killed daemon at once and a
 * power loss after the kernel's write-back, which loses at most objects that died with the machine anyway.
 *
 * Behind the entries the file holds zeros that later ones are written over. On a full disk nothing new is made, and with what is
 * held in reserve all there is can end: an eviction that could not be written down would free nothing.
 */
export class Journal {
  #fd = -1;
  #size = 0;
  /** Length of the file; what is between is allocated. */
  #room = 0;
  #live = new Map<string, Map<string, object>>();
  #compactAt = 0;
  /** Facts that found no room, to be written before anything else. */
  #owed: Buffer[] = [];

  private constructor(
    private readonly path: string,
    private readonly onTrouble: (error: unknown, what: string) => void,
  ) {}

  /** Opens the journal, drops what a crash left half-written, and rewrites it, if there is room, to hold only live objects. */
  static open(path: string, onTrouble: (error: unknown, what: string) => void = () => undefined): Journal {
    const journal = new Journal(path, onTrouble);
    const data = readOrEmpty(path);
    const { entries, end } = decodeEntries(data);
    for (const entry of entries) journal.#apply(entry);
    if (!journal.#isCompacted()) journal.#continue(end, data.length);
    return journal;
  }

  /** Live objects of a kind, as they were last put. */
  all(kind: string): Map<string, object> {
    return new Map(this.#live.get(kind));
  }

  put(kind: string, id: string, value: object): void {
    this.#append({ kind, id, value });
  }

  /** New values for some fields of an object that has been put; `value` is what that makes of it. */
  change(kind: string, id: string, change: object, value: object): void {
    this.#append({ kind, id, change }, value);
  }

  delete(kind: string, id: string): void {
    this.#append({ kind, id });
  }

  /** A change that has happened already, whether it can be written or not: without room it is written before the next one that can be. */
  note(kind: string, id: string, change: object, value: object): void {
    const frame = encodeEntry({ kind, id, change });
    try {
      this.#write(frame, 0);
    } catch (error) {
      this.onTrouble(error, `${kind} ${id} is kept in memory until the journal has room`);
      this.#owed.push(frame);
    }
    this.#apply({ kind, id, value });
  }

  close(): void {
    closeSync(this.#fd);
  }

  #append(entry: JournalEntry, value = entry.value): void {
    // What is new leaves the reserve to what ends.
    this.#write(encodeEntry(entry), entry.value ? RESERVE : 0);
    this.#apply({ kind: entry.kind, id: entry.id, value });
    if (this.#size > this.#compactAt && !this.#isCompacted()) this.#compactAt = this.#size + COMPACT_EVERY;
  }

  #write(frame: Buffer, reserve: number): void {
    const data = Buffer.concat([...this.#owed, frame]);
    this.#makeRoom(this.#size + data.length, reserve);
    writeAll(this.#fd, data, this.#size);
    this.#size += data.length;
    this.#owed = [];
  }

  /** @throws ENOSPC and its like when there would not be `reserve` left behind `end`. */
  #makeRoom(end: number, reserve: number): void {
    if (this.#room >= end + RESERVE) return;
    try {
      const zeros = Buffer.alloc(end + RESERVE + GROWTH - this.#room);
      for (let at = 0; at < zeros.length; ) {
        const written = writeSync(this.#fd, zeros, at, zeros.length - at, this.#room);
        at += written;
        this.#room += written;
      }
    } catch (error) {
      if (this.#room < end + reserve) throw error;
    }
  }

  #apply({ kind, id, value, change }: JournalEntry): void {
    let objects = this.#live.get(kind);
    if (!objects) this.#live.set(kind, (objects = new Map()));
    const old = objects.get(id);
    if (value) objects.set(id, value);
    else if (!change) objects.delete(id);
    else if (old) objects.set(id, { ...old, ...change });
  }

  #isCompacted(): boolean {
    try {
      this.#compact();
      return true;
    } catch (error) {
      this.onTrouble(error, 'the journal is not compacted but goes on as it is');
      return false;
    }
  }

  #compact(): void {
    const frames: Buffer[] = [];
    for (const [kind, objects] of this.#live)
      for (const [id, value] of objects) frames.push(encodeEntry({ kind, id, value }, MAX_ENTRY));
    const data = Buffer.concat(frames);
    const file = Buffer.concat([data, Buffer.alloc(RESERVE + GROWTH)]);
    const fd = replaceFile(this.path, file);
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = fd;
    this.#size = data.length;
    this.#room = file.length;
    this.#owed = [];
    this.#compactAt = Math.max(COMPACT_EVERY, data.length * 4);
  }

  /** Goes on writing at `end`. What is damaged behind it becomes zeros, or a later entry could bring a piece of it back. */
  #continue(end: number, length: number): void {
    this.#fd = openSync(this.path, constants.O_RDWR | constants.O_CREAT, 0o600);
    writeAll(this.#fd, Buffer.alloc(length - end), end);
    this.#size = end;
    this.#room = length;
    this.#compactAt = end + COMPACT_EVERY;
  }
}

/** Puts a file in the place of another, whole and on disk, and answers its descriptor; nothing has changed when it fails. */
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

const readOrEmpty = (path: string): Buffer => {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
};
