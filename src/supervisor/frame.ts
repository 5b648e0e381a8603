import { LIMITS } from '../gen/plan.js';
import { Fields, FieldWriter, ProtocolError } from './wire.js';

/**
 * Frames of proto/supervisor.md, written and read.
 *
 *   frame = u32 length | u16 type | u16 zero | u32 tag | fields       length counts what follows it
 */
const FRAME_HEADER = 12;
const REPLY = 0x8000;

export const replyTo = (type: number): number => type | REPLY;

/** Throws a RangeError for what would not fit one frame. */
export function encodeFrame(type: number, tag: number, write: (w: FieldWriter) => void): Buffer {
  const writer = new FieldWriter(256, FRAME_HEADER);
  write(writer);
  const frame = writer.written();
  if (frame.length > LIMITS.frame)
    throw new RangeError(`message of ${frame.length} bytes is longer than ${LIMITS.frame}`);
  frame.writeUInt32LE(frame.length - 4, 0);
  frame.writeUInt32LE(type, 4);
  frame.writeUInt32LE(tag, 8);
  return frame;
}

export interface Frame {
  type: number;
  tag: number;
  fields: Fields;
}

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
    if (length < FRAME_HEADER || length > LIMITS.frame) throw new ProtocolError(`frame of ${length} bytes`);
    if (this.#size < length) return undefined;
    const all = this.#front(length);
    const frame = all.subarray(0, length);
    this.#chunks = all.length > length ? [all.subarray(length)] : this.#chunks.slice(1);
    this.#size -= length;
    if (frame.readUInt16LE(6) !== 0) throw new ProtocolError('frame with a reserved field that is not zero');
    return {
      type: frame.readUInt16LE(4),
      tag: frame.readUInt32LE(8),
      fields: Fields.decode(frame.subarray(FRAME_HEADER)),
    };
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
