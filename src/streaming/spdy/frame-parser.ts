import { SpdyError } from './error.js';
import { CONTROL_BIT, FLAG_FIN } from './frame.js';

/** Nothing that a client of Kubernetes sends comes near it (CVE-2026-35469). */
const CONTROL_MAX = 16 << 10;

/** The bytes of a data frame come in pieces, as they arrive; `fin` is set on the last one only. */
export interface DataFrame {
  kind: 'data';
  streamId: number;
  payload: Buffer;
  fin: boolean;
}

export interface ControlFrame {
  kind: 'control';
  type: number;
  flags: number;
  payload: Buffer;
}

const NONE = Buffer.alloc(0);

/** Cuts a stream of bytes into frames without copying their payloads. */
export class FrameParser {
  #bytes: Buffer = NONE;
  /** The data frame whose bytes are arriving. */
  #data: { streamId: number; left: number; fin: boolean } | undefined;

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
  }

  /** The next frame or piece of one, undefined when more bytes are needed. */
  next(): DataFrame | ControlFrame | undefined {
    if (this.#data) return this.#piece(this.#data);
    const head = this.#bytes;
    if (head.length < 8) return undefined;
    const length = head.readUIntBE(5, 3);
    const flags = head.readUInt8(4);
    if ((head.readUInt8(0) & CONTROL_BIT) === 0) {
      this.#take(8);
      return this.#piece({ streamId: head.readUInt32BE(0), left: length, fin: (flags & FLAG_FIN) !== 0 }, true);
    }
    const version = head.readUInt16BE(0) & 0x7fff;
    if (version !== 3) throw new SpdyError(`control frame of SPDY version ${version}`);
    if (length > CONTROL_MAX) throw new SpdyError(`control frame of ${length} bytes`);
    if (head.length < 8 + length) return undefined;
    this.#take(8);
    return { kind: 'control', type: head.readUInt16BE(2), flags, payload: this.#take(length) };
  }

  #piece(data: { streamId: number; left: number; fin: boolean }, first = false): DataFrame | undefined {
    this.#data = data;
    if (this.#bytes.length === 0 && !(first && data.left === 0)) return undefined;
    const payload = this.#take(Math.min(data.left, this.#bytes.length));
    data.left -= payload.length;
    if (data.left === 0) this.#data = undefined;
    return { kind: 'data', streamId: data.streamId, payload, fin: data.fin && data.left === 0 };
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = length === this.#bytes.length ? NONE : this.#bytes.subarray(length);
    return taken;
  }
}
