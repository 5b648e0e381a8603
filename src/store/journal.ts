import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { invalidArgument } from '../errors.js';
import { fromJson, toJson } from './bytes-in-json.js';

/** One journalled fact: the newest value of an object, fields of it that are new, or, with neither, that it is gone. */
export type JournalEntry = { kind: string; id: string; value?: object; change?: object };

const HEADER = 8; // u32 length, u32 crc32 of the payload, both little-endian
/** What a request may write at once: as much as a supervisor's frame holds. */
const MAX_APPEND = 8 << 20;
/** An object and what was changed of it later, when compaction puts them together. */
const MAX_ENTRY = 4 * MAX_APPEND;

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
 */
export class Journal {
  #fd: number;
  #size: number;
  #live = new Map<string, Map<string, object>>();
  #compactAt: number;

  private constructor(
    private readonly path: string,
    entries: JournalEntry[],
  ) {
    for (const entry of entries) this.#apply(entry);
    this.#fd = -1;
    this.#size = 0;
    this.#compactAt = 0;
    this.#compact();
  }

  /** Opens the journal, drops what a crash left half-written, and rewrites it to hold only live objects. */
  static open(path: string): Journal {
    return new Journal(path, decodeEntries(readOrEmpty(path)).entries);
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

  close(): void {
    closeSync(this.#fd);
  }

  #append(entry: JournalEntry, value = entry.value): void {
    const frame = encodeEntry(entry);
    try {
      writeAll(this.#fd, frame, this.#size);
    } catch (error) {
      // A torn frame would hide every later one from recovery (full disk).
      ftruncateSync(this.#fd, this.#size);
      throw error;
    }
    this.#size += frame.length;
    this.#apply({ kind: entry.kind, id: entry.id, value });
    if (this.#size > this.#compactAt) this.#compact();
  }

  #apply({ kind, id, value, change }: JournalEntry): void {
    let objects = this.#live.get(kind);
    if (!objects) this.#live.set(kind, (objects = new Map()));
    const old = objects.get(id);
    if (value) objects.set(id, value);
    else if (!change) objects.delete(id);
    else if (old) objects.set(id, { ...old, ...change });
  }

  #compact(): void {
    const frames: Buffer[] = [];
    for (const [kind, objects] of this.#live)
      for (const [id, value] of objects) frames.push(encodeEntry({ kind, id, value }, MAX_ENTRY));
    const data = Buffer.concat(frames);
    const temporary = `${this.path}.new`;
    const fd = openSync(temporary, 'w', 0o600);
    writeAll(fd, data, 0);
    fsyncSync(fd);
    renameSync(temporary, this.path);
    const directory = openSync(dirname(this.path), 'r');
    fsyncSync(directory);
    closeSync(directory);
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = fd;
    this.#size = data.length;
    this.#compactAt = Math.max(4 << 20, data.length * 4);
  }
}

/** At a position of our own: the descriptor's would be behind a hole once a torn write was cut off. */
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
