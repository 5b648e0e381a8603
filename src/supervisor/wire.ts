import { invalidArgument } from '../base/errors.js';
import { LIMITS } from '../gen/plan.js';

/**
 * Fields of proto/supervisor.md, written and read: the shape of every message and of every operation of a plan.
 *
 *   field = u16 id | u32 length | bytes       little-endian, no padding
 */
const FIELD_HEADER = 6;

/** What came over the wire is not what the protocol allows: the peer is not to be trusted any further. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** Writes fields one after the other. A value that does not fit its field is the caller's INVALID_ARGUMENT. */
export class FieldWriter {
  #bytes: Buffer;
  #length: number;

  constructor(room = 1024, from = 0) {
    this.#bytes = Buffer.allocUnsafe(room);
    this.#length = from;
  }

  /** What has been written; it shares its memory with the writer. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Starts a field that has fields of its own; `end` takes what this returns. */
  begin(id: number): number {
    return this.#room(id, 0);
  }

  end(at: number): void {
    this.#bytes.writeUInt32LE(this.#length - at, at - 4);
  }

  /** Fields that have been written before. */
  raw(fields: Uint8Array): void {
    this.#reserve(fields.length);
    this.#bytes.set(fields, this.#length);
    this.#length += fields.length;
  }

  bytes(id: number, value: Uint8Array): void {
    const at = this.#room(id, value.length);
    this.#bytes.set(value, at);
  }

  /** Any text, as bytes. */
  text(id: number, value: string): void {
    this.#text(id, value);
  }

  string(id: number, value: string, what: string, least = 0): void {
    if (value.includes('\0')) throw invalidArgument(`${what} contains a NUL character: ${JSON.stringify(value)}`);
    const length = this.#text(id, value);
    if (length < least) throw invalidArgument(`${what} is empty`);
    if (length > LIMITS.string)
      throw invalidArgument(`${what} is longer than ${LIMITS.string} bytes: ${value.slice(0, 64)}…`);
  }

  /** `plain`: without "..", because it is made or removed by its name. */
  path(id: number, value: string, what: string, plain = false): void {
    if (!value.startsWith('/')) throw invalidArgument(`${what} is not an absolute path: ${JSON.stringify(value)}`);
    if (plain && value.includes('/..') && /\/\.\.(\/|$)/.test(value))
      throw invalidArgument(`${what} has a "..": ${JSON.stringify(value)}`);
    if (value.length > LIMITS.path / 3 && Buffer.byteLength(value) > LIMITS.path)
      throw invalidArgument(`${what} is longer than ${LIMITS.path} bytes: ${value.slice(0, 64)}…`);
    this.string(id, value, what);
  }

  pathOrNone(id: number, value: string, what: string): void {
    if (value === '') this.#room(id, 0);
    else this.path(id, value, what);
  }

  oneOf(id: number, value: string, what: string, known: ReadonlySet<string>): void {
    if (!known.has(value)) throw invalidArgument(`unknown ${what}: ${JSON.stringify(value)}`);
    this.string(id, value, what);
  }

  integer(id: number, value: number, width: 1 | 2 | 4, what: string, min = 0, max = 2 ** (8 * width) - 1): void {
    if (!Number.isInteger(value) || value < min || value > max)
      throw invalidArgument(`${what} is not an integer of ${min} to ${max}: ${value}`);
    let at = this.#room(id, width);
    for (let rest = value, left: number = width; left > 0; left--, rest >>= 8) this.#bytes[at++] = rest;
  }

  flags<Word extends string>(
    id: number,
    words: readonly Word[],
    bits: Readonly<Record<Word, number>>,
    what: string,
  ): void {
    let sum = 0;
    for (const word of words) {
      const bit = bits[word];
      if (bit === undefined) throw invalidArgument(`unknown word of the ${what}: ${JSON.stringify(word)}`);
      sum |= bit;
    }
    this.integer(id, sum, 4, what);
  }

  u64(id: number, value: bigint, what: string): void {
    if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw invalidArgument(`${what} does not fit 64 bits: ${value}`);
    const at = this.#room(id, 8);
    this.#bytes.writeBigUInt64LE(value, at);
  }

  bool(id: number, value: boolean): void {
    const at = this.#room(id, 1);
    this.#bytes[at] = value ? 1 : 0;
  }

  /** Pieces of `unit` bytes each. */
  units(id: number, value: Uint8Array, what: string, unit: number, min: number, max: number): void {
    if (value.length % unit !== 0 || value.length < min * unit || value.length > max * unit)
      throw invalidArgument(`${what} is not ${min} to ${max} instructions: ${value.length} bytes`);
    this.bytes(id, value);
  }

  /** A u32 each. */
  ids(id: number, values: readonly number[], what: string, max: number): void {
    if (values.length > max) throw invalidArgument(`more than ${max}: ${what} (${values.length})`);
    let at = this.#room(id, values.length * 4);
    for (const value of values) {
      if (!Number.isInteger(value) || value < 0 || value > LIMITS.id)
        throw invalidArgument(`${what} is not an integer of 0 to ${LIMITS.id}: ${value}`);
      at = this.#bytes.writeUInt32LE(value, at);
    }
  }

  idMap(id: number, map: { uid: number; gid: number; length: number } | undefined): void {
    this.ids(id, map ? [map.uid, map.gid, map.length] : [], 'ID of the user namespace', 3);
  }

  atLeast(count: number, least: number, what: string): void {
    if (count < least) throw invalidArgument(`too few: ${what} (${count}); at least ${least}`);
  }

  #text(id: number, value: string): number {
    // Three bytes are the most that one unit of UTF-16 takes.
    this.#reserve(FIELD_HEADER + value.length * 3);
    const at = this.#room(id, 0);
    const length = this.#bytes.write(value, at);
    this.#length += length;
    this.end(at);
    return length;
  }

  /** Writes a field's header and returns where its `length` bytes go. */
  #room(id: number, length: number): number {
    this.#reserve(FIELD_HEADER + length);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = id;
    bytes[at++] = id >>> 8;
    bytes[at++] = length;
    bytes[at++] = length >>> 8;
    bytes[at++] = length >>> 16;
    bytes[at++] = length >>> 24;
    this.#length = at + length;
    return at;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const wider = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    wider.set(this.written());
    this.#bytes = wider;
  }
}

/** The fields of one message, each read with the width the protocol gives it. */
export class Fields {
  private constructor(private readonly values: ReadonlyMap<number, Buffer[]>) {}

  static decode(payload: Buffer): Fields {
    const values = new Map<number, Buffer[]>();
    for (let at = 0; at < payload.length; ) {
      if (payload.length - at < 6) throw new ProtocolError(`truncated field at byte ${at}`);
      const id = payload.readUInt16LE(at);
      const length = payload.readUInt32LE(at + 2);
      if (length > payload.length - at - 6) throw new ProtocolError(`truncated field ${id} at byte ${at}`);
      const value = payload.subarray(at + 6, at + 6 + length);
      const known = values.get(id);
      if (known) known.push(value);
      else values.set(id, [value]);
      at += 6 + length;
    }
    return new Fields(values);
  }

  all(id: number): Buffer[] {
    return this.values.get(id) ?? [];
  }

  bytes(id: number): Buffer {
    const [value, ...more] = this.all(id);
    if (!value || more.length > 0)
      throw new ProtocolError(`field ${id} is ${value ? 'there more than once' : 'missing'}`);
    return value;
  }

  string(id: number): string {
    return this.bytes(id).toString('utf8');
  }

  u8(id: number): number {
    return this.#sized(id, 1).readUInt8();
  }

  bool(id: number): boolean {
    return this.u8(id) !== 0;
  }

  /** The word that a number stands for. */
  word<Word extends string>(id: number, words: Readonly<Record<Word, number>>): Word {
    const value = this.u8(id);
    for (const word in words) if (words[word] === value) return word;
    throw new ProtocolError(`field ${id} has the unknown value ${value}`);
  }

  u32(id: number): number {
    return this.#sized(id, 4).readUInt32LE();
  }

  i32(id: number): number {
    return this.#sized(id, 4).readInt32LE();
  }

  u64(id: number): bigint {
    return this.#sized(id, 8).readBigUInt64LE();
  }

  #sized(id: number, width: number): Buffer {
    const value = this.bytes(id);
    if (value.length !== width) throw new ProtocolError(`field ${id} has ${value.length} bytes instead of ${width}`);
    return value;
  }
}
