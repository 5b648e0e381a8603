import { crc32 } from 'node:zlib';
import { invalidArgument } from '../base/errors.js';
import { fromJson, toJson } from './bytes-in-json.js';

/** One journalled fact: the newest value of an object, fields of it that are new, or, with neither, that it is gone. */
export type JournalEntry = { kind: string; id: string; value?: object | undefined; change?: object };

const HEADER = 8; // u32 length, u32 crc32 of the payload, both little-endian
/** What a request may write at once: as much as a supervisor's frame holds. */
const MAX_APPEND = 8 << 20;
/** An object and what was changed of it later, when they are put together. */
export const MAX_ENTRY = 4 * MAX_APPEND;

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
