import { Duplex } from 'node:stream';
import type { Headers } from './header-block.js';

/** What a stream asks of its connection. */
export interface StreamOwner {
  accept(stream: SpdyStream): void;
  /** Calls back when the bytes are sent: their memory is not looked at any more. */
  send(streamId: number, chunks: readonly Buffer[], fin: boolean, callback: () => void): void;
  /** The stream has room again for what arrives. */
  wants(stream: SpdyStream): void;
  /** The stream is over; `reset` tells the peer, who does not know yet. */
  closed(stream: SpdyStream, reset: boolean): void;
}

/** Bytes that wait to be sent before a writer waits: it is stopped and started rarely, and they go together. */
const UNSENT_MAX = 512 << 10;

/** One stream of a connection; both directions end on their own. When the peer resets it, it closes without having ended. */
export class SpdyStream extends Duplex {
  #sentFin = false;
  #receivedFin = false;
  #wasReset = false;

  constructor(
    private readonly owner: StreamOwner,
    readonly id: number,
    readonly headers: Headers,
    readableHighWaterMark: number,
  ) {
    super({ allowHalfOpen: true, readableHighWaterMark, writableHighWaterMark: UNSENT_MAX });
  }

  /** Tells the client that it may use the stream. */
  accept(): void {
    this.owner.accept(this);
  }

  /** False: no more, please. */
  receive(payload: Buffer, fin: boolean): boolean {
    if (this.#receivedFin) return true;
    const room = payload.length === 0 || this.push(payload);
    if (fin) {
      this.#receivedFin = true;
      this.push(null);
    }
    return room;
  }

  /** The peer has given it up, or the connection is gone. */
  abort(): void {
    this.#wasReset = true;
    this.destroy();
  }

  override _read(): void {
    this.owner.wants(this);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.owner.send(this.id, [chunk], false, callback);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: () => void): void {
    this.owner.send(
      this.id,
      chunks.map(({ chunk }) => chunk),
      false,
      callback,
    );
  }

  override _final(callback: () => void): void {
    this.#sentFin = true;
    this.owner.send(this.id, [], true, callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.owner.closed(this, !this.#wasReset && !(this.#sentFin && this.#receivedFin));
    callback(error);
  }
}
