import { field } from './plan-field.js';

/**
 * Frames and fields of proto/supervisor.md: pure, bounded, and the only reading of the wire on the daemon's side.
 *
 *   frame = u32 length | u16 type | u16 zero | u32 tag | fields       length counts what follows it
 */
export const PROTOCOL_VERSION = 1;
export const FRAME_MAX = 8 * 1024 * 1024;
const HEADER = 12;
const REPLY = 0x8000;

export const Message = {
  HELLO: 0x0001,
  SPAWN: 0x0010,
  RUN: 0x0011,
  SANDBOX: 0x0020,
  CREATE: 0x0021,
  START: 0x0022,
  SIGNAL: 0x0023,
  KILL: 0x0024,
  EXEC: 0x0025,
  REOPEN_LOG: 0x0026,
  UPDATE: 0x0027,
  REMOVE: 0x0028,
  LIST: 0x0029,
  SHUTDOWN: 0x002a,
  OPEN_EXEC: 0x0030,
  WAIT_EXEC: 0x0031,
  ATTACH: 0x0032,
  RESIZE: 0x0033,
  CLOSE_STDIN: 0x0034,
  CONNECT: 0x0035,
  EXEC_OUTPUT: 0x0040,
  EXITED: 0x0041,
  SHARE_PID: 0x0060,
  SYSCTLS: 0x0061,
  HOLD: 0x0070,
  RELEASE: 0x0071,
  ERROR: 0xffff,
} as const;

export const replyTo = (type: number): number => type | REPLY;

export interface Frame {
  type: number;
  tag: number;
  fields: Fields;
}

/** What came over the wire is not what the protocol allows: the peer is not to be trusted any further. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
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

/** Throws a RangeError for what would not fit one frame. */
export function encodeFrame(type: number, tag: number, fields: Uint8Array[]): Buffer {
  const length = fields.reduce((sum, one) => sum + one.length, HEADER);
  if (length > FRAME_MAX) throw new RangeError(`message of ${length} bytes is longer than ${FRAME_MAX}`);
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(length - 4, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt32LE(tag, 8);
  return Buffer.concat([header, ...fields], length);
}

export const bytesField = (id: number, value: Uint8Array | string): Buffer =>
  field(id, typeof value === 'string' ? Buffer.from(value, 'utf8') : value);

/** Cuts a stream into frames, wherever the stream was cut. Throws a ProtocolError; what it holds is bounded by one frame. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #size = 0;

  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | undefined {
    if (this.#size < 4) return undefined;
    const length = this.#front(4).readUInt32LE(0) + 4;
    if (length < HEADER || length > FRAME_MAX) throw new ProtocolError(`frame of ${length} bytes`);
    if (this.#size < length) return undefined;
    const all = this.#front(length);
    const frame = all.subarray(0, length);
    this.#chunks = all.length > length ? [all.subarray(length)] : this.#chunks.slice(1);
    this.#size -= length;
    if (frame.readUInt16LE(6) !== 0) throw new ProtocolError('frame with a reserved field that is not zero');
    return { type: frame.readUInt16LE(4), tag: frame.readUInt32LE(8), fields: Fields.decode(frame.subarray(HEADER)) };
  }

  /** The first chunk, joined with later ones only when it does not hold `length` bytes. */
  #front(length: number): Buffer {
    const first = this.#chunks[0];
    if (first && first.length >= length) return first;
    const all = Buffer.concat(this.#chunks, this.#size);
    this.#chunks = [all];
    return all;
  }
}
